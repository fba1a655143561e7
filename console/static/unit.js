// The units' page: what the information desk has confirmed for their sectors, and an answer by one thumb.

import { Line } from "./line.js";
import { say, toast } from "./tell.js";
import { fillPicture, fillPlate, plateText } from "./vehicle.js";
import { ageText, momentText, timeText, word } from "./words.js";

const KEY = "kruispunt.unit.sound";
const list = document.getElementById("list"), empty = document.getElementById("empty");
const template = document.getElementById("card"), button = document.getElementById("sound");
const csrf = document.querySelector("meta[name=csrf]").content;
const cards = new Map();
let context = null, wanted = localStorage.getItem(KEY) !== "off", offsetMs = 0, begun = false;

function show(alerts) {
  const ids = new Set(alerts.map((alert) => alert.id));
  for (const [id, card] of cards) if (!ids.has(id)) { card.remove(); cards.delete(id); }
  let before = list.firstElementChild;
  for (const alert of alerts) {
    let card = cards.get(alert.id);
    const changed = card?.alert.released_ms !== alert.released_ms || card.alert.withdrawn !== alert.withdrawn;
    if (card === undefined) {
      card = template.content.firstElementChild.cloneNode(true);
      cards.set(alert.id, card);
    }
    if (card !== before) list.insertBefore(card, before);
    else before = before.nextElementSibling;
    fill(card, alert);
    if (changed && begun) ring(alert);
  }
  empty.hidden = alerts.length > 0;
  begun = true;
}

function fill(card, alert) {
  const { alert: known } = card;
  card.alert = alert;
  card.dataset.priority = alert.priority;
  card.classList.toggle("withdrawn", alert.withdrawn);
  const set = (selector, text) => { card.querySelector(selector).textContent = text; };
  set(".priority", alert.priority_word);
  set(".category", alert.category_word);
  card.querySelector(".category").dataset.category = alert.category;
  set(".standing", word(alert.withdrawn ? "unit.withdrawn" : alert.confirmed ? "unit.confirmed" : "unit.unconfirmed"));
  card.querySelector(".standing").dataset.sure = String(alert.confirmed && !alert.withdrawn);
  fillPlate(card.querySelector(".plate.listed"), alert.listed, alert.listed_country);
  // A unit looks for the plate that is listed; what was read beside it, only where it was not the same.
  card.querySelector(".read-as").hidden = alert.same;
  fillPlate(card.querySelector(".plate.read"), alert.read, alert.read_country);
  set(".sure", alert.doubt ? alert.sure : "");
  set(".reason", alert.reason);
  set(".do", alert.instructions);
  set(".camera", alert.camera);
  set(".municipality", alert.municipality);
  set(".heading", alert.heading === null ? "" : `${word("unit.looks")} ${alert.heading}°`);
  for (const each of card.querySelectorAll("[data-answer]")) {
    each.setAttribute("aria-pressed", String(each.dataset.answer === alert.mine));
    each.disabled = alert.withdrawn;
  }
  card.querySelector(".told").replaceChildren(...alert.responses.map((each) => {
    const line = document.createElement("li");
    line.textContent = `${each.by}: ${each.word}, ${timeText(each.at_ms)}`;
    return line;
  }));
  if (known === undefined) pictures(card, alert);
  tick(card);
}

function pictures(card, alert) {
  for (const [kind, selector] of [["patch", ".patch"], ["picture", ".vehicle"]]) {
    const box = card.querySelector(selector);
    box.hidden = !alert[`has_${kind}`];
    fillPicture(box, alert, kind, "/unit/alerts");
  }
}

function tick(card) {
  const { captured_ms: at } = card.alert;
  card.querySelector(".age").textContent = ageText(Date.now() + offsetMs - at);
  card.querySelector(".time").textContent = momentText(at);
}

function ring(alert) {
  say(`${word(alert.withdrawn ? "unit.withdrawn" : "unit.new")}: ${plateText(alert.listed)}`);
  navigator.vibrate?.([200, 100, 200]);
  if (context?.state !== "running" || !wanted) return;
  const pitches = alert.withdrawn ? [660, 440, 330] : [880, 1175, 880, 1175];
  pitches.forEach((pitch, number) => {
    const at = context.currentTime + 0.18 * number;
    const tone = new OscillatorNode(context, { frequency: pitch, type: "triangle" });
    const gain = new GainNode(context, { gain: 0.4 });
    tone.connect(gain).connect(context.destination);
    tone.start(at);
    tone.stop(at + 0.15);
  });
}

async function wake() {
  context ??= new AudioContext();
  await context.resume();
  showSound();
}

function showSound() {
  const on = wanted && context?.state === "running";
  button.setAttribute("aria-pressed", String(on));
  button.textContent = word(on ? "unit.sound_off" : "unit.sound_on");
}

async function answer(card, given) {
  const chosen = card.querySelector(`[data-answer="${given}"]`);
  chosen.disabled = true;
  try {
    const said = await fetch(`/unit/alerts/${encodeURIComponent(card.alert.id)}/response`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ answer: given }),
    });
    if (said.status === 401) leave();
    else if (!said.ok) toast(word("unit.failed"));
    else {
      fill(card, await said.json());
      say(`${word("unit.sent")}: ${chosen.textContent}`);
    }
  } catch {
    toast(word("unit.failed"));
  } finally {
    chosen.disabled = card.alert.withdrawn;
  }
}

function leave() {
  location.assign("/sign-in");
}

list.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-answer]");
  if (chosen !== null) answer(chosen.closest("li"), chosen.dataset.answer);
});
button.addEventListener("click", async () => {
  wanted = !(wanted && context?.state === "running");
  localStorage.setItem(KEY, wanted ? "on" : "off");
  if (wanted) await wake();
  showSound();
});
addEventListener("pointerdown", () => { if (wanted && context === null) wake(); });
setInterval(() => { for (const card of cards.values()) tick(card); }, 1000);

new Line("/unit/stream", {
  state(name) {
    const line = document.getElementById("connection");
    line.dataset.state = name;
    line.textContent = word(`live.${name}`);
  },
  alerts: show,
  clock(serverMs) { offsetMs = serverMs - Date.now(); },
  leave,
}).open();
