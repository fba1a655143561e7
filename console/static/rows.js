// One alert as a row. Everything that comes from outside is set as text, never as markup.

import { fillPicture, fillPlate, plateText } from "./vehicle.js";
import { ageText, dayText, desk, momentText, numberText, timeText, word } from "./words.js";

const DAY_MS = 12 * 3600 * 1000;
const template = document.getElementById("row");
export const clock = { offsetMs: 0, nowMs: () => Date.now() + clock.offsetMs };

export const set = (root, selector, text) => {
  const found = root.querySelector(selector);
  if (found.textContent !== text) found.textContent = text;
};

export function loadPictures(row) {
  const wanted = String(row.alert.frames);
  if (row.dataset.pictures === wanted) return;
  row.dataset.pictures = wanted;
  fillPicture(row.querySelector(".patch"), row.alert, "patch");
  fillPicture(row.querySelector(".vehicle"), row.alert, "picture");
}

export function makeRow(alert) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.id = alert.id;
  row.addEventListener("animationend", () => row.classList.remove("fresh"));
  fillRow(row, alert);
  return row;
}

export function fillRow(row, alert) {
  row.alert = alert;
  row.dataset.priority = alert.priority;
  row.classList.toggle("done", alert.acknowledgement !== null);
  row.setAttribute("aria-label", label(alert));
  set(row, ".priority", alert.priority_word);
  row.querySelector(".covert").hidden = !alert.covert;
  fillPlate(row.querySelector(".plate.read"), alert.read, alert.read_country);
  fillPlate(row.querySelector(".plate.listed"), alert.listed, alert.listed_country);
  row.classList.toggle("same", alert.same);
  fillSure(row.querySelector(".sure"), alert);
  set(row, ".title", alert.list);
  set(row, ".category", alert.category_word);
  row.querySelector(".category").dataset.category = alert.category;
  set(row, ".reason", alert.reason);
  set(row, ".legal", alert.legal_basis);
  row.querySelector(".reason").title = alert.reason;
  row.querySelector(".legal").title = `${word("alert.legal")}: ${alert.legal_basis}`;
  set(row, ".camera", alert.camera);
  set(row, ".municipality", alert.municipality);
  const time = row.querySelector(".time");
  time.dateTime = new Date(alert.captured_ms).toISOString();
  time.title = dayText(alert.captured_ms);
  set(row, ".latency", alert.latency_ms === null ? "" : `${numberText(alert.latency_ms)} ms`);
  row.querySelector(".latency").title = word("alert.latency");
  row.querySelector(".late").hidden = !alert.late;
  set(row, ".sightings", `${alert.sightings}${word("alert.sightings")}`);
  row.querySelector(".sightings").classList.toggle("many", alert.sightings > 1);
  fillVerdict(row, alert.acknowledgement);
  fillClaim(row.querySelector(".claim"), alert);
  row.classList.toggle("claimed", alert.claim !== null);
  fillResponses(row.querySelector(".responses"), alert);
}

function label(alert) {
  const parts = [alert.priority_word, plateText(alert.read), alert.sure, alert.list, alert.camera];
  if (alert.covert) parts.push(word("alert.covert"));
  if (alert.acknowledgement !== null) parts.push(alert.acknowledgement.word);
  if (alert.claim !== null) parts.push(`${word("alert.claimed")} ${alert.claim.by}`);
  return parts.join(", ");
}

export function fillSure(element, alert) {
  element.textContent = alert.sure;
  element.title = alert.sure;
  element.classList.toggle("doubt", alert.doubt);
}

export function fillClaim(element, alert) {
  element.hidden = alert.claim === null;
  if (alert.claim === null) return;
  const mine = alert.claim.by === desk.user;
  element.classList.toggle("mine", mine);
  element.textContent = mine ? word("alert.mine") : `${word("alert.claimed")} ${alert.claim.by}`;
}

function fillResponses(element, alert) {
  const last = alert.responses[alert.responses.length - 1];
  const wrong = last === undefined && alert.trouble !== "";
  element.hidden = last === undefined && !wrong;
  element.classList.toggle("wrong", wrong);
  element.textContent = last === undefined ? alert.trouble : `${last.word}: ${last.by}`;
}

export const trueText = (given) => (given.true_plate === "" ? "" : word("alert.true_plate", { plate: given.true_plate }));

export function fillVerdict(root, given) {
  const line = root.querySelector(".given");
  if (line !== null) {
    line.hidden = given === null;
    if (given !== null) {
      const what = document.createElement("strong");
      what.textContent = given.word;
      line.replaceChildren(what, [` ${word("alert.by")} ${given.by}`, given.true_plate].filter(Boolean).join(" · "));
      line.title = [momentText(given.at_ms), trueText(given), given.note].filter(Boolean).join(" · ");
    }
  }
  for (const button of root.querySelectorAll("[data-verdict]")) {
    button.setAttribute("aria-pressed", String(given !== null && given.verdict === button.dataset.verdict));
  }
}

export function tick(row, alert) {
  const ageMs = clock.nowMs() - alert.captured_ms;
  set(row, ".age", ageText(ageMs));
  // A time alone says nothing about another day.
  set(row, ".time", ageMs > DAY_MS ? momentText(alert.captured_ms) : timeText(alert.captured_ms));
}
