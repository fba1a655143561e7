// The page's texts, and how times and lengths are written. The texts come with the page: see console/messages.

const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "{}");
const words = read("words");
export const desk = read("desk");

export const word = (key, values = {}) =>
  (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

const language = document.documentElement.lang || "nl-BE";
const clock = new Intl.DateTimeFormat(language, {
  timeZone: "Europe/Brussels", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
  timeZoneName: "short",
});
const day = new Intl.DateTimeFormat(language, {
  timeZone: "Europe/Brussels", weekday: "short", day: "2-digit", month: "2-digit", year: "numeric",
});
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

// Some languages name a zone by its distance; in Brussels the two have names.
const zoned = (text) => text.replace(/(GMT|UTC)\+1$/, "CET").replace(/(GMT|UTC)\+2$/, "CEST");

export const timeText = (ms) => zoned(clock.format(ms));
export const dayText = (ms) => day.format(ms);
export const momentText = (ms) => `${day.format(ms)} ${timeText(ms)}`;
export const numberText = (value) => number.format(value);
export const percentText = (value) => percent.format(value);

export function ageText(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} ${word("alert.hours")} ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(s / 86400)} d`;
}
