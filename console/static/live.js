// The live page: newest alert on top, one key to judge it.

import { Line } from "./line.js";
import { fillDetails, fillRow, makeRow, plateText, tick } from "./rows.js";
import { beep, turnOff, turnOn } from "./sound.js";
import { word } from "./words.js";

const KEPT = 500;
const VERDICTS = ["confirmed", "misread", "not_current", "no_action"];

const $ = (id) => document.getElementById(id);
const list = $("list"), panel = $("details"), scroller = $("alerts");
const csrf = document.querySelector("meta[name=csrf]").content;
const alerts = new Map(); // id -> { alert, row }
let offsetMs = 0, current = null, onlyOpen = false, unseen = 0, toastTimer = 0, asked = 0;

const nowMs = () => Date.now() + offsetMs;

// --- what the server sends -----------------------------------------------------------------------------------

function take(alert, { announce }) {
  const known = alerts.get(alert.id);
  if (known !== undefined) {
    if (alert.seq < known.alert.seq) return;
    known.alert = alert;
    fillRow(known.row, alert);
    tick(known.row, alert, nowMs());
    if (panel.dataset.id === alert.id && !panel.hidden) openDetails(alert.id, { focus: false });
  } else {
    insert(alert, announce);
  }
  if (announce) count();
}

function insert(alert, announce) {
  const row = makeRow(alert);
  tick(row, alert, nowMs());
  alerts.set(alert.id, { alert, row });
  let before = list.firstElementChild;
  while (before !== null && alerts.get(before.dataset.id).alert.created_ms > alert.created_ms) {
    before = before.nextElementSibling;
  }
  list.insertBefore(row, before);
  if (!announce) return;
  row.classList.add("fresh");
  row.addEventListener("animationend", () => row.classList.remove("fresh"), { once: true });
  say(`${word("live.announce")}: ${alert.priority_word}, ${plateText(alert.read)}, ${alert.list}, ${alert.camera}`);
  if (alert.priority === "critical") beep();
  if (scroller.scrollTop > 40) {
    unseen += 1;
    showNewer();
  }
  while (list.childElementCount > KEPT) {
    alerts.delete(list.lastElementChild.dataset.id);
    list.lastElementChild.remove();
  }
}

function snapshot(all) {
  const chosen = current;
  alerts.clear();
  list.replaceChildren();
  for (const alert of all) take(alert, { announce: false });
  current = null;
  if (chosen !== null && alerts.has(chosen)) choose(chosen, { focus: false });
  else list.firstElementChild?.setAttribute("tabindex", "0");
  count();
}

function count() {
  let open = 0;
  for (const { alert } of alerts.values()) if (alert.acknowledgement === null) open += 1;
  $("todo").textContent = String(open);
  document.title = `${open > 0 ? `(${open}) ` : ""}${word("live.title")} · ${word("product")}`;
  const empty = alerts.size === 0 || (onlyOpen && open === 0);
  $("empty").hidden = !empty;
  $("empty").textContent = word(alerts.size === 0 ? "live.empty" : "live.empty_open");
  if (current === null) list.firstElementChild?.setAttribute("tabindex", "0");
}

function showNewer() {
  $("newer").hidden = unseen === 0;
  $("newer").textContent = `↑ ${unseen} ${word(unseen === 1 ? "live.new_one" : "live.new_many")}`;
}

function say(text) {
  $("announcer").textContent = text;
}

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $("toast").hidden = true; }, 5000);
}

// --- what the operator does ----------------------------------------------------------------------------------

function choose(id, { focus = true } = {}) {
  for (const row of list.querySelectorAll("[tabindex='0'], .chosen")) {
    row.tabIndex = -1;
    row.classList.remove("chosen");
  }
  const { row } = alerts.get(id);
  current = id;
  row.tabIndex = 0;
  row.classList.add("chosen");
  if (focus) {
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }
  if (!panel.hidden && panel.dataset.id !== id) openDetails(id, { focus: false });
}

function move(step) {
  const rows = [...list.children].filter((row) => row.offsetParent !== null);
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.dataset.id === current);
  const next = at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step));
  choose(rows[next].dataset.id);
}

async function judge(id, verdict) {
  const known = alerts.get(id);
  if (known === undefined) return;
  const note = !panel.hidden && panel.dataset.id === id ? panel.querySelector("#note")?.value ?? "" : "";
  known.row.classList.add("busy");
  try {
    const answer = await fetch(`/alerts/${encodeURIComponent(id)}/acknowledgement`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ verdict, note: note.trim() }),
    });
    if (answer.status === 401) leave();
    else if (!answer.ok) toast(word(answer.status === 403 ? "live.forbidden" : "live.failed"));
    else {
      const alert = await answer.json();
      take(alert, { announce: false });
      count();
      say(`${word("live.announced_verdict")}: ${alert.acknowledgement.word}, ${plateText(alert.read)}`);
    }
  } catch {
    toast(word("live.failed"));
  } finally {
    known.row.classList.remove("busy");
  }
}

async function openDetails(id, { focus = true } = {}) {
  const turn = ++asked;
  const answer = await fetch(`/alerts/${encodeURIComponent(id)}`).catch(() => null);
  if (answer === null || !answer.ok) {
    if (answer?.status === 401) leave();
    return;
  }
  const alert = await answer.json();
  if (turn !== asked) return; // Another one was asked for since.
  fillDetails(panel, alert);
  panel.hidden = false;
  panel.querySelector(".close").addEventListener("click", closeDetails);
  if (focus) panel.querySelector(".close").focus();
}

function closeDetails() {
  asked += 1;
  panel.hidden = true;
  if (current !== null && alerts.has(current)) choose(current);
}

function leave() {
  location.assign("/sign-in");
}

function filter(open) {
  onlyOpen = open;
  list.classList.toggle("only-open", open);
  $("show-open").setAttribute("aria-pressed", String(open));
  $("show-all").setAttribute("aria-pressed", String(!open));
  count();
}

const KEYS = {
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  Enter: () => { if (current !== null) openDetails(current); },
  Escape: () => { if (!panel.hidden) closeDetails(); },
  "?": () => $("help").showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || $("help").open) return;
  const typing = event.target.closest?.("textarea, input") !== null && event.target !== document.body;
  if (typing && event.key !== "Escape") return;
  if (event.key === "Enter" && event.target.closest?.("button, a")) return;
  const verdict = VERDICTS["1234".indexOf(event.key)];
  if (event.key.length === 1 && verdict !== undefined) {
    // A key that is held down judges once.
    if (!event.repeat && current !== null) judge(current, verdict);
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
  if (button !== null) judge(row.dataset.id, button.dataset.verdict);
});
list.addEventListener("dblclick", (event) => {
  const row = event.target.closest("li");
  if (row !== null && event.target.closest("button") === null) openDetails(row.dataset.id);
});
list.addEventListener("focusin", (event) => {
  const row = event.target.closest("li");
  if (row !== null && row.dataset.id !== current) choose(row.dataset.id, { focus: false });
});
panel.addEventListener("click", (event) => {
  const button = event.target.closest("[data-verdict]");
  if (button !== null) judge(panel.dataset.id, button.dataset.verdict);
});
$("newer").addEventListener("click", () => scroller.scrollTo({ top: 0, behavior: "smooth" }));
scroller.addEventListener("scroll", () => {
  if (scroller.scrollTop <= 40 && unseen > 0) {
    unseen = 0;
    showNewer();
  }
}, { passive: true });
$("show-all").addEventListener("click", () => filter(false));
$("show-open").addEventListener("click", () => filter(true));
$("help-open").addEventListener("click", () => $("help").showModal());
$("sound").addEventListener("click", async () => {
  const on = $("sound").getAttribute("aria-pressed") !== "true";
  await (on ? turnOn() : turnOff());
  $("sound").setAttribute("aria-pressed", String(on));
  $("sound-state").textContent = word(on ? "live.sound_on" : "live.sound_off");
});

setInterval(() => {
  for (const { alert, row } of alerts.values()) tick(row, alert, nowMs());
}, 1000);

new Line({
  state(name) {
    const shown = $("connection");
    if (shown.dataset.state === name) return;
    shown.dataset.state = name;
    shown.textContent = word(`live.${name}`);
  },
  snapshot,
  alert: (alert) => take(alert, { announce: true }),
  clock(serverMs) { offsetMs = serverMs - Date.now(); },
  leave,
}).open();
