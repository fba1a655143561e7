// The details beside the list: everything about one alert, where a note is written and the map is drawn.

import { fillClaim, fillVerdict, set, trueText } from "./rows.js";
import { fillPicture, fillPlate } from "./vehicle.js";
import { desk, momentText, numberText, percentText, timeText, word } from "./words.js";

const panel = document.getElementById("details");
const template = document.getElementById("facts");
let mapShown = false;

export const shownId = () => (panel.hidden ? null : panel.dataset.id);
export const noteFor = (id) => (shownId() === id ? panel.querySelector("#note")?.value.trim() ?? "" : "");

export function show(alert) {
  const writing = document.activeElement?.id === "note" ? document.activeElement.selectionStart : null;
  const note = panel.querySelector("#note")?.value ?? "";
  const kept = panel.dataset.id === alert.id && !panel.hidden;
  panel.dataset.id = alert.id;
  panel.dataset.priority = alert.priority;
  panel.replaceChildren(template.content.cloneNode(true));
  panel.hidden = false;
  set(panel, ".priority", alert.priority_word);
  fillPlate(panel.querySelector(".plate.read"), alert.read, alert.read_country);
  fillPlate(panel.querySelector(".plate.listed"), alert.listed, alert.listed_country);
  panel.classList.toggle("same", alert.same);
  fillPicture(panel.querySelector(".patch"), alert, "patch");
  panel.querySelector(".vehicle").hidden = !alert.has_picture;
  fillPicture(panel.querySelector(".vehicle"), alert, "picture");
  fillClaiming(alert);
  const report = panel.querySelector("form.rir");
  if (report !== null) report.action = `/alerts/${encodeURIComponent(alert.id)}/rir`;
  fillFirst(facts(".facts.first"), alert);
  fillMore(facts(".facts.more"), alert);
  fillVerdict(panel, alert.acknowledgement);
  if (mapShown) drawMap(alert);
  panel.alert = alert;
  const field = panel.querySelector("#note");
  if (!kept || field === null) return;
  // A new sighting must not take the note from under the operator's hands.
  field.value = note;
  if (writing === null) return;
  field.focus();
  field.setSelectionRange(writing, writing);
}

export function hide() {
  panel.hidden = true;
}

export function toggleMap() {
  mapShown = !mapShown;
  if (mapShown) drawMap(panel.alert);
  else panel.querySelector(".map").hidden = true;
}

async function drawMap(alert) {
  const box = panel.querySelector(".map");
  box.hidden = false;
  // Neither is there until somebody wants a map.
  const [{ draw }] = await Promise.all([import("./map.js"), style("map.css")]);
  await draw(box, { sightings: alert.all_sightings });
}

function style(name) {
  const address = new URL(name, import.meta.url).href;
  if ([...document.styleSheets].some((sheet) => sheet.href === address)) return null;
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = address;
  return new Promise((ready) => {
    for (const name of ["load", "error"]) link.addEventListener(name, ready, { once: true });
    document.head.append(link);
  });
}

function fillClaiming(alert) {
  const button = panel.querySelector(".claim-toggle");
  if (button === null) return;
  fillClaim(panel.querySelector(".claiming .claim"), alert);
  const mine = alert.claim?.by === desk.user;
  button.replaceChildren(word(mine ? "alert.release" : "alert.claim"), " ", key("c"));
}

function key(name) {
  const shown = document.createElement("kbd");
  shown.textContent = name;
  return shown;
}

// Gives a function that adds a term with its lines, leaving out what is empty.
function facts(selector) {
  const list = panel.querySelector(selector);
  return (term, lines, style = "") => {
    const shown = lines.filter((line) => line !== "" && line !== null && line !== undefined);
    if (shown.length === 0) return;
    const box = document.createElement("div");
    const name = document.createElement("dt");
    name.textContent = word(term);
    box.append(name);
    for (const line of shown) {
      const value = document.createElement("dd");
      value.textContent = line;
      value.className = style;
      box.append(value);
    }
    list.append(box);
  };
}

function fillFirst(add, alert) {
  const given = alert.acknowledgement;
  add("details.verdict", given === null ? [] : [judged(given), trueText(given), given.note]);
  add("details.later", [alert.later_read], "later");
  add("details.responses", [
    ...alert.responses.map((each) => [`${each.word}: ${each.by}, ${momentText(each.at_ms)}`, each.note].filter(Boolean).join(" · ")),
    alert.trouble,
  ], "answer");
  add("details.deliveries", alert.deliveries.map(told), "told");
  add("details.instructions", [alert.instructions], "do");
  add("alert.reason", [alert.reason]);
  add("details.list", [`${alert.list} (${alert.category_word.toLowerCase()})`, alert.owner]);
  add("alert.legal", [alert.legal_basis]);
  add("details.kind", [alert.sure, `${alert.kind_word}, ${word("details.posterior")} ${percentText(alert.posterior)}`]);
}

const judged = (given) => `${given.word} ${word("alert.by")} ${given.by}, ${momentText(given.at_ms)}`;

function told(each) {
  const again = each.state === "pending" && each.attempts > 0 && each.next_ms !== null;
  return [
    `${each.receiver} (${each.kind_word}): ${each.state_word}`,
    momentText(each.at_ms),
    each.attempts > 1 ? word("delivery.attempts", { count: each.attempts }) : "",
    each.problem,
    again ? word("delivery.next", { time: timeText(each.next_ms) }) : "",
  ].filter(Boolean).join(" · ");
}

function fillMore(add, alert) {
  add("details.earlier", alert.earlier.map((each) => [judged(each), trueText(each), each.note].filter(Boolean).join(" · ")));
  add("details.confidence", [alert.confidence === null ? "" : percentText(alert.confidence)]);
  add("details.sightings", alert.all_sightings.map(
    (each) => `${momentText(each.captured_ms)} · ${[each.camera, each.municipality].filter(Boolean).join(", ")}`));
  add("details.recipients", [alert.recipients.join(", ")]);
  add("details.trail", alert.trail.map((each) => `${each.word}: ${numberText(each.ms)} ms`));
  add("details.source", [alert.source]);
  add("details.snapshot", [String(alert.snapshot_version)]);
}

