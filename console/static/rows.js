// One alert as a row, and as details. Everything that comes from outside is set as text, never as markup.

import { ageText, dayText, momentText, numberText, percentText, timeText, word } from "./words.js";

const DAY_MS = 12 * 3600 * 1000;
const rowTemplate = document.getElementById("row");
const factsTemplate = document.getElementById("facts");

const set = (root, selector, text) => {
  const found = root.querySelector(selector);
  if (found.textContent !== text) found.textContent = text;
};

export function plateText(pieces) {
  return pieces.map(([text]) => text).join("");
}

function fillPlate(element, pieces, country) {
  const parts = [];
  if (country) {
    const band = document.createElement("span");
    band.className = "band";
    band.textContent = country;
    parts.push(band);
  }
  for (const [text, differs] of pieces) {
    const part = document.createElement(differs ? "mark" : "span");
    part.textContent = text;
    if (differs) part.title = word("alert.differs");
    parts.push(part);
  }
  element.replaceChildren(...parts);
}

function fillPatch(box, id) {
  const image = new Image(128, 64);
  image.loading = "lazy";
  image.alt = word("alert.patch");
  image.addEventListener("error", () => image.remove());
  image.addEventListener("load", () => box.classList.add("has-image"));
  image.src = `/alerts/${encodeURIComponent(id)}/patch.jpg`;
  box.append(image);
}

export function makeRow(alert) {
  const row = rowTemplate.content.firstElementChild.cloneNode(true);
  row.dataset.id = alert.id;
  fillPatch(row.querySelector(".patch"), alert.id);
  fillRow(row, alert);
  return row;
}

export function fillRow(row, alert) {
  row.dataset.priority = alert.priority;
  row.classList.toggle("done", alert.acknowledgement !== null);
  row.setAttribute("aria-label", `${alert.priority_word}: ${plateText(alert.read)}, ${alert.list}, ${alert.camera}`);
  set(row, ".priority", alert.priority_word);
  row.querySelector(".covert").hidden = !alert.covert;
  fillPlate(row.querySelector(".plate.read"), alert.read, alert.read_country);
  fillPlate(row.querySelector(".plate.listed"), alert.listed, alert.listed_country);
  row.classList.toggle("same", alert.same);
  set(row, ".title", alert.list);
  set(row, ".category", alert.category_word);
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
}

function fillVerdict(root, given) {
  const line = root.querySelector(".given");
  if (line !== null) {
    line.hidden = given === null;
    if (given !== null) {
      const what = document.createElement("strong");
      what.textContent = given.word;
      line.replaceChildren(what, ` ${word("alert.by")} ${given.by}`);
      line.title = [momentText(given.at_ms), given.note].filter(Boolean).join(" · ");
    }
  }
  for (const button of root.querySelectorAll("[data-verdict]")) {
    button.setAttribute("aria-pressed", String(given !== null && given.verdict === button.dataset.verdict));
  }
}

export function tick(row, alert, nowMs) {
  const ageMs = nowMs - alert.captured_ms;
  set(row, ".age", ageText(ageMs));
  // A time alone says nothing about another day.
  set(row, ".time", ageMs > DAY_MS ? momentText(alert.captured_ms) : timeText(alert.captured_ms));
}

export function fillDetails(panel, alert) {
  const writing = document.activeElement?.id === "note" ? document.activeElement.selectionStart : null;
  const note = panel.querySelector("#note")?.value ?? "";
  const kept = panel.dataset.id === alert.id;
  panel.dataset.id = alert.id;
  panel.dataset.priority = alert.priority;
  panel.replaceChildren(factsTemplate.content.cloneNode(true));
  set(panel, ".priority", alert.priority_word);
  fillPlate(panel.querySelector(".plate.read"), alert.read, alert.read_country);
  fillPatch(panel.querySelector(".patch"), alert.id);
  const facts = panel.querySelector(".facts");
  const add = (term, ...lines) => {
    const shown = lines.filter((line) => line !== "" && line !== null && line !== undefined);
    if (shown.length === 0) return;
    const box = document.createElement("div");
    const name = document.createElement("dt");
    name.textContent = word(term);
    box.append(name);
    for (const line of shown) {
      const value = document.createElement("dd");
      value.textContent = line;
      box.append(value);
    }
    facts.append(box);
  };
  const given = alert.acknowledgement;
  add("details.verdict", given && `${given.word} ${word("alert.by")} ${given.by}, ${momentText(given.at_ms)}`, given?.note);
  add("alert.reason", alert.reason);
  add("details.list", `${alert.list} (${alert.category_word.toLowerCase()})`, alert.owner);
  add("alert.legal", alert.legal_basis);
  add("details.kind", `${alert.kind_word}, ${word("details.posterior")} ${percentText(alert.posterior)}`);
  add("details.confidence", alert.confidence === null ? "" : percentText(alert.confidence));
  add("details.sightings", ...alert.all_sightings.map(
    (each) => `${momentText(each.captured_ms)} · ${each.camera}, ${each.municipality}`));
  add("details.recipients", alert.recipients.join(", "));
  add("details.trail", ...alert.trail.map((each) => `${each.word}: ${numberText(each.ms)} ms`));
  add("details.source", alert.source);
  add("details.snapshot", String(alert.snapshot_version));
  fillVerdict(panel, given);
  const field = panel.querySelector("#note");
  if (!kept || field === null) return;
  // A new sighting must not take the note from under the operator's hands.
  field.value = note;
  if (writing === null) return;
  field.focus();
  field.setSelectionRange(writing, writing);
}
