// The page's texts, and how times and lengths are written. The texts come with the page: see messages.py.

const words = new Map();
const terms = document.querySelectorAll("#words dt");
for (const term of terms) words.set(term.textContent, term.nextElementSibling.textContent);

export const word = (key) => words.get(key) ?? key;

const language = document.documentElement.lang || "nl-BE";
const clock = new Intl.DateTimeFormat(language, {
  timeZone: "Europe/Brussels", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});
const day = new Intl.DateTimeFormat(language, {
  timeZone: "Europe/Brussels", weekday: "short", day: "2-digit", month: "2-digit", year: "numeric",
});
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });

export const timeText = (ms) => clock.format(ms);
export const dayText = (ms) => day.format(ms);
export const momentText = (ms) => `${day.format(ms)} ${clock.format(ms)}`;
export const numberText = (value) => number.format(value);
export const percentText = (value) => percent.format(value);

export function ageText(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} u ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}`;
  return `${Math.floor(s / 86400)} d`;
}
