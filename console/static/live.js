// The live page: newest alert on top, one key to judge it.

import { Alerts, KEPT } from "./alerts.js";
import * as details from "./details.js";
import { claim, release, judge } from "./deeds.js";
import { Filter } from "./filter.js";
import { Line } from "./line.js";
import { clock } from "./rows.js";
import * as sound from "./sound.js";
import { say, toast } from "./tell.js";
import { plateText } from "./vehicle.js";
import { Window } from "./window.js";
import { desk, word } from "./words.js";

const VERDICTS = ["confirmed", "misread", "not_current", "no_action"];
const OLDER = 500;
const RENEW_MS = 120_000;

const $ = (id) => document.getElementById(id);
const scroller = $("content"), list = $("list"), panel = $("details");
const filter = new Filter(desk.user);
const alerts = new Alerts(filter);
const shown = new Window(scroller, list, alerts, { drawn: count, nearEnd: () => older() });
let unseen = 0, asked = 0, fetching = false, complete = false;

// --- what the server sends -----------------------------------------------------------------------------------

function take(alert) {
  const change = alerts.take(alert);
  if (change === null) return;
  if (change === "new") {
    shown.fresh(alert.id);
    if (filter.passes(alert)) {
      say(`${word("live.announce")}: ${alert.priority_word}, ${plateText(alert.read)}, ${alert.list}, ${alert.camera}`);
      if (!shown.atTop) unseen += 1;
    }
    // The filter hides, it does not silence: a critical alert is heard whatever is looked at.
    if (filter.passes(alert) || alert.priority === "critical") sound.ring(alert);
  }
  if (details.shownId() === alert.id) openDetails(alert.id, { focus: false });
  shown.ask();
}

function snapshot(all) {
  const newest = alerts.all[0];
  // What came by `older` stays: the snapshot holds the newest alone, and what it holds is what counts.
  const oldest = all.length > 0 ? all[all.length - 1].created_ms : Infinity;
  const kept = complete || alerts.all.length > 0 ? alerts.all.filter((each) => each.created_ms < oldest) : [];
  alerts.reset([...all, ...kept].slice(0, KEPT));
  if (newest === undefined) scroller.scrollTop = 0;
  if (shown.chosen !== null && alerts.get(shown.chosen) === undefined) shown.chosen = null;
  complete = false;
  shown.ask();
}

// Older alerts come when there is nothing else to do, until the page has as many as it keeps.
async function older() {
  if (fetching || complete || alerts.all.length === 0) return;
  if (alerts.all.length >= KEPT) { complete = true; return; }
  fetching = true;
  try {
    const oldest = alerts.all[alerts.all.length - 1];
    const answer = await fetch(`/alerts?before_ms=${oldest.created_ms + 1}&limit=${OLDER}`);
    if (!answer.ok) return;
    const found = await answer.json();
    let fresh = 0;
    for (const alert of found) if (alerts.take(alert) === "new") fresh += 1;
    complete = fresh === 0;
    shown.ask();
  } catch {
    // The line says that the server is away; scrolling asks again.
  } finally {
    fetching = false;
  }
}

setInterval(() => { if (!complete && document.visibilityState === "visible") older(); }, 1_000);

function count() {
  const { open, view, hidden } = alerts;
  $("todo").textContent = String(open);
  $("empty").hidden = view.length > 0;
  if (view.length === 0) {
    const why = alerts.all.length === 0 ? "live.empty" : filter.narrows || filter.chosen.show === "mine"
      ? "live.empty_filter" : "live.empty_open";
    $("empty").textContent = word(why);
  }
  $("filtered").hidden = !filter.narrows;
  $("filtered").firstElementChild.textContent =
    hidden === 0 ? "" : `${hidden} ${word(hidden === 1 ? "live.hidden_one" : "live.hidden_many")}`;
  if (shown.atTop) unseen = 0;
  $("newer").hidden = unseen === 0;
  $("newer").textContent = `↑ ${unseen} ${word(unseen === 1 ? "live.new_one" : "live.new_many")}`;
}

// Not with every alert: a new title is news for the whole browser, and nobody reads fifty of them in a second.
function entitle() {
  const { open } = alerts;
  const title = `${open > 0 ? `(${open}) ` : ""}${word("live.title")} · ${word("product")}`;
  if (document.title !== title) document.title = title;
}

// --- what the operator does ----------------------------------------------------------------------------------

function choose(id, { focus = true } = {}) {
  shown.choose(id, { focus });
  if (details.shownId() !== null && details.shownId() !== id) openDetails(id, { focus: false });
}

function move(step) {
  const { view } = alerts;
  if (view.length === 0) return;
  const at = shown.chosen === null ? -1 : alerts.indexOf(shown.chosen);
  const next = at < 0 ? Math.min(shown.above, view.length - 1) : at + step;
  choose(view[Math.min(view.length - 1, Math.max(0, next))].id);
}

async function give(id, verdict) {
  const alert = alerts.get(id);
  if (alert === undefined || !desk.may_acknowledge) return;
  const at = alerts.indexOf(id);
  shown.row(id)?.classList.add("busy");
  const judged = await judge(alert, verdict, details.noteFor(id));
  shown.row(id)?.classList.remove("busy");
  // Whoever has gone on to another row meanwhile stays there.
  if (shown.chosen === id) shown.row(id)?.focus({ preventScroll: true });
  if (judged === null) return;
  take(judged);
  say(`${word("live.announced_verdict")}: ${judged.acknowledgement.word}, ${plateText(judged.read)}`);
  // What is dealt with leaves the list of what is to be dealt with: the next one takes its place.
  if (alerts.indexOf(id) < 0 && alerts.view.length > 0) choose(alerts.view[Math.min(at, alerts.view.length - 1)].id);
}

async function toggleClaim(id) {
  const alert = alerts.get(id);
  if (alert === undefined || !desk.may_acknowledge) return;
  const changed = alert.claim?.by === desk.user ? await release(alert) : await claim(alert);
  if (changed !== null) take(changed);
}

async function openDetails(id, { focus = true } = {}) {
  const turn = ++asked;
  const answer = await fetch(`/alerts/${encodeURIComponent(id)}`).catch(() => null);
  if (answer === null || !answer.ok) {
    if (answer?.status === 401) leave();
    else if (answer !== null) toast(word(answer.status === 403 ? "live.old" : "live.gone"));
    return;
  }
  const alert = await answer.json();
  if (turn !== asked) return; // Another one was asked for since.
  details.show(alert);
  if (focus) panel.querySelector(".close").focus();
}

function closeDetails() {
  asked += 1;
  details.hide();
  if (shown.chosen !== null && alerts.get(shown.chosen) !== undefined) choose(shown.chosen);
}

function leave() {
  location.assign("/sign-in");
}

function narrow(name, value) {
  filter.set(name, value);
  showFilter();
}

function showFilter() {
  const { show, ...others } = filter.chosen;
  for (const button of document.querySelectorAll("[data-show]")) {
    button.setAttribute("aria-pressed", String(button.dataset.show === show));
  }
  for (const [name, value] of Object.entries(others)) {
    const select = $(`by-${name}`);
    select.value = value;
    select.classList.toggle("chosen", value !== "");
    // A sector that is no more: nothing would be shown, and nothing would say why.
    if (select.value !== value) { filter.set(name, ""); select.value = ""; }
  }
  alerts.refilter();
  shown.ask();
}

function nextFilter() {
  const buttons = [...document.querySelectorAll("[data-show]")];
  const at = buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true");
  narrow("show", buttons[(at + 1) % buttons.length].dataset.show);
}

const current = () => shown.chosen;
const KEYS = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  PageDown: () => move(5), PageUp: () => move(-5), Home: () => move(-KEPT), End: () => move(KEPT),
  Enter: () => { if (current() !== null) openDetails(current()); },
  c: () => { if (current() !== null) toggleClaim(current()); },
  m: async () => {
    if (details.shownId() === null && current() !== null) await openDetails(current(), { focus: false });
    if (details.shownId() !== null) details.toggleMap();
  },
  f: nextFilter,
  "/": () => location.assign("/search"),
  Escape: () => { if (details.shownId() !== null) closeDetails(); },
  "?": () => $("help").showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector("dialog[open]") !== null) return;
  const typing = event.target.closest?.("textarea, input, select") != null;
  if (typing && event.key !== "Escape") return;
  if (event.key === "Enter" && event.target.closest?.("button, a, summary")) return;
  const verdict = VERDICTS["1234".indexOf(event.key)];
  if (event.key.length === 1 && verdict !== undefined) {
    // A key that is held down judges once.
    if (!event.repeat && current() !== null) give(current(), verdict);
    event.preventDefault();
  } else if (Object.hasOwn(KEYS, event.key)) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

list.addEventListener("click", (event) => {
  const row = event.target.closest("li");
  if (row === null) return;
  choose(row.dataset.id);
  const button = event.target.closest("[data-verdict]");
  if (button !== null) give(row.dataset.id, button.dataset.verdict);
});
list.addEventListener("dblclick", (event) => {
  const row = event.target.closest("li");
  if (row !== null && event.target.closest("button") === null) openDetails(row.dataset.id);
});
list.addEventListener("focusin", (event) => {
  const row = event.target.closest("li");
  if (row !== null && row.dataset.id !== shown.chosen) choose(row.dataset.id, { focus: false });
});
panel.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button === null) return;
  if (button.dataset.verdict !== undefined) give(panel.dataset.id, button.dataset.verdict);
  else if (button.classList.contains("close")) closeDetails();
  else if (button.classList.contains("claim-toggle")) toggleClaim(panel.dataset.id);
  else if (button.classList.contains("map-open")) details.toggleMap();
});
$("newer").addEventListener("click", () => shown.toTop());
for (const button of document.querySelectorAll("[data-show]")) {
  button.addEventListener("click", () => narrow("show", button.dataset.show));
}
for (const name of ["priority", "category", "zone"]) {
  $(`by-${name}`).addEventListener("change", (event) => narrow(name, event.target.value));
}
$("clear-filter").addEventListener("click", () => { filter.clear(); showFilter(); });
$("help-open").addEventListener("click", () => $("help").showModal());

$("sound").value = sound.chosen();
$("sound").addEventListener("change", async (event) => {
  await sound.choose(event.target.value);
  showSound();
});
for (const name of ["pointerdown", "keydown"]) {
  addEventListener(name, async () => { if (sound.blocked()) { await sound.wake(); showSound(); } }, { capture: true });
}
function showSound() {
  $("sound-blocked").hidden = !sound.blocked();
}

setInterval(() => { shown.tick(); entitle(); }, 1000);
// Who is at work on an alert keeps their claim on it.
setInterval(() => {
  for (const alert of alerts.all) if (alert.claim?.by === desk.user && alert.id === shown.chosen) claim(alert);
}, RENEW_MS);

showFilter();
showSound();
// Other pages point at an alert by the part after the #, which no server and no log gets to see.
if (/^#[0-9a-f]{32}$/.test(location.hash)) openDetails(location.hash.slice(1));
const line = new Line("/alerts/stream", {
  state(name) {
    const shown = $("connection");
    if (shown.dataset.state === name) return;
    shown.dataset.state = name;
    shown.textContent = word(`live.${name}`);
  },
  snapshot,
  alert: take,
  clock(serverMs) { clock.offsetMs = serverMs - Date.now(); },
  leave,
});

// What the page begins with was asked for in its head, while the scripts were on their way. Without it, the line
// begins with a snapshot of its own.
async function begin() {
  const answer = await fetch("/alerts/newest").catch(() => null);
  if (answer?.ok) {
    const { seq, alerts: newest } = await answer.json();
    snapshot(newest);
    line.resumeAfter(seq);
  }
  line.open();
}
begin();
