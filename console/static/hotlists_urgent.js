// The urgent single entry: one key from any page, a plate, a reason, a look at what is about to be done, and live.

const KEY = "F2", DAY_MS = 86_400_000, REMEMBERED = "kruispunt.urgent.list";
const ASK_EVERY_MS = 200, ASK_FOR_MS = 10_000;
const box = document.getElementById("urgent");
const ask = document.getElementById("urgent-ask"), sure = document.getElementById("urgent-sure");
const done = document.getElementById("urgent-done"), found = document.getElementById("urgent-found");
const words = JSON.parse(document.getElementById("urgent-words").textContent);
const word = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const field = (name) => ask.elements[name];
let deed = "add", lists = [], rows = [], unread = [], sending = false;

const brussels = (options) => new Intl.DateTimeFormat(options.language ?? document.documentElement.lang, { timeZone: "Europe/Brussels", ...options.parts });
const momentText = (ms) => brussels({ parts: { dateStyle: "short", timeStyle: "short" } }).format(ms);
// What a field holds is an hour of Brussels as it is: written out, it must not be moved.
const fieldText = (value) => new Intl.DateTimeFormat(document.documentElement.lang, { timeZone: "UTC", dateStyle: "short", timeStyle: "short" }).format(new Date(`${value}Z`));
const forInput = (ms) => brussels({ language: "sv-SE", parts: { dateStyle: "short", timeStyle: "short" } }).format(ms).replace(" ", "T");

// --- the steps -----------------------------------------------------------------------------------------------

function step(shown) {
  for (const each of [ask, sure, done]) each.hidden = each !== shown;
  for (const each of box.querySelectorAll(".problem")) each.hidden = true;
}

function choose(wanted) {
  deed = wanted;
  for (const each of ask.querySelectorAll("[data-deed]")) each.setAttribute("aria-pressed", String(each.dataset.deed === deed));
  for (const each of ask.querySelectorAll("[data-only]")) each.hidden = each.dataset.only !== deed;
}

function open(wanted, list = "") {
  choose(wanted);
  if (box.open) return;
  ask.reset();
  field("until").value = forInput(Date.now() + DAY_MS);
  step(ask);
  box.showModal();
  field("plate").focus();
  load(list);
}

async function load(list) {
  try {
    lists = await get("/urgent/lists");
  } catch (error) {
    return refuse(ask, error.message);
  }
  field("list").replaceChildren(...lists.map((each) => {
    const option = new Option(each.covert ? `${each.title} (${word("urgent.covert")})` : each.title, each.name);
    return option;
  }));
  const remembered = list || localStorage.getItem(REMEMBERED);
  if (lists.some((each) => each.name === remembered)) field("list").value = remembered;
}

function refuse(form, sentence) {
  const line = form.querySelector(".problem");
  line.textContent = sentence;
  line.hidden = false;
}

// --- asking the desk -----------------------------------------------------------------------------------------

async function get(path) {
  return answered(await fetch(path, { headers: { Accept: "application/json" } }).catch(() => null));
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": box.dataset.csrf };
  return answered(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null));
}

async function answered(answer) {
  if (answer === null) throw new Error(word("urgent.away"));
  if (answer.status === 401) location.assign("/sign-in");
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(said.detail ?? word("urgent.away"));
  return said;
}

// --- from what was typed to what is asked --------------------------------------------------------------------

const tidy = () => field("plate").value.trim().toUpperCase();
const chosenList = () => lists.find((each) => each.name === field("list").value);

function plate(place, pieces, country) {
  const band = document.createElement("span");
  band.className = "band";
  band.textContent = country;
  place.replaceChildren(band, ...pieces.map(([piece]) => piece));
}

function facts(pairs) {
  sure.querySelector(".facts").replaceChildren(...pairs.map(([name, value]) => {
    const line = document.createElement("div"), term = document.createElement("dt"), said = document.createElement("dd");
    term.textContent = name;
    said.textContent = value;
    line.append(term, said);
    return line;
  }));
}

ask.addEventListener("submit", async (event) => {
  event.preventDefault();
  const why = field("why").value.trim();
  if (!/[\p{L}\p{N}]/u.test(tidy())) return refuse(ask, word("urgent.wanting_plate")), field("plate").focus();
  if (!/[\p{L}\p{N}]/u.test(why)) return refuse(ask, word("urgent.wanting_why")), field("why").focus();
  if (deed === "add") askSure(why);
  else await askWhich(why);
});

function askSure(why) {
  const list = chosenList();
  if (list === undefined) return refuse(ask, word("urgent.wanting_list")), field("list").focus();
  const until = field("until").value;
  // As typed: the desk answers with how it is matched.
  plate(sure.querySelector(".plate"), [[tidy()]], field("country").value.toUpperCase());
  found.replaceChildren();
  facts([
    [word("urgent.list"), list.title], [word("urgent.why"), why],
    [word("urgent.until"), until === "" ? word("urgent.no_end") : fieldText(until)],
    [word("urgent.priority"), field("priority").selectedOptions[0].text],
    [word("urgent.who"), word(list.covert ? "urgent.is_covert" : "urgent.is_open")],
  ]);
  sure.querySelector("[type=submit]").textContent = word("urgent.add_go");
  step(sure);
  sure.querySelector("[type=submit]").focus();
}

async function askWhich(why) {
  if (sending) return;
  sending = true;
  try {
    ({ rows, unread } = await post("/urgent/find", { list: "", entry: { plate: tidy(), why } }));
  } catch (error) {
    return refuse(ask, error.message), field("plate").focus();
  } finally {
    sending = false;
  }
  const damaged = unread.join(", ");
  if (rows.length === 0) return refuse(ask, unread.length ? word("urgent.nowhere_read", { lists: damaged }) : word("urgent.nowhere")), field("plate").focus();
  plate(sure.querySelector(".plate"), [[tidy()]], "");
  facts(unread.length ? [[word("urgent.unread"), damaged]] : []);
  found.replaceChildren(...rows.map(option));
  sure.querySelector("[type=submit]").textContent = word("urgent.remove_go");
  step(sure);
  found.querySelector("input").focus();
}

function option(row, number) {
  const label = document.createElement("label"), radio = document.createElement("input");
  const title = document.createElement("strong"), more = document.createElement("span");
  Object.assign(radio, { type: "radio", name: "which", value: String(number), checked: number === 0 });
  title.textContent = row.title;
  const plate = row.pieces.map(([piece]) => piece).join("");
  const until = row.until_ms === null ? word("urgent.no_end") : `${word("urgent.to")} ${momentText(row.until_ms)}`;
  more.textContent = [`${row.country} ${plate}`.trim(), row.reason, until].filter(Boolean).join(" · ");
  label.append(radio, title, more);
  return label;
}

sure.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (sending) return;
  sending = true;
  const began = performance.now();
  try {
    const [path, body, title] = order();
    const changed = await post(path, body);
    finish(changed, title, began);
  } catch (error) {
    refuse(sure, error.message);
  } finally {
    sending = false;
  }
});

function order() {
  const why = field("why").value.trim();
  if (deed === "remove") {
    const row = rows[Number(sure.elements.which.value)];
    return ["/urgent/remove", { list: row.list, entry: { plate: row.given, country: row.country, why } }, row.title];
  }
  const list = chosenList();
  // A covert list is not named on a screen that others share.
  if (!list.covert) localStorage.setItem(REMEMBERED, list.name);
  const entry = {
    plate: tidy(), country: field("country").value.trim(), reason: why, why,
    priority: field("priority").value, valid_until: field("until").value,
  };
  return ["/urgent/add", { list: list.name, entry }, list.title];
}

function finish(changed, title, began) {
  step(done);
  plate(done.querySelector(".plate"), changed.pieces, changed.country);
  const until = changed.valid_until_ms === null ? word("urgent.no_end") : `${word("urgent.to")} ${momentText(changed.valid_until_ms)}`;
  done.querySelector(".done-well").textContent =
    deed === "add" ? word("urgent.added", { list: title, until }) : word("urgent.removed", { list: title });
  if (changed.unread) refuse(done, word(deed === "add" ? "urgent.added_damaged" : "urgent.removed_damaged"));
  done.querySelector("[data-close]").focus();
  // A page that shows lists shows them as they were: closing reloads it.
  box.dataset.changed = "true";
  watch(changed.version, began);
}

// Until every worker holds what was changed, or it takes so long that somebody must look.
async function watch(version, began) {
  const line = done.querySelector(".workers");
  line.textContent = word("urgent.asking");
  while (box.open && !done.hidden && performance.now() - began < ASK_FOR_MS) {
    const { workers, have } = await get(`/urgent/workers?version=${version}`).catch(() => ({ workers: 0, have: 0 }));
    const s = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format((performance.now() - began) / 1000);
    if (workers > 0 && have === workers) return void (line.textContent = word(deed === "add" ? "urgent.all_have" : "urgent.all_forgot", { workers, s }));
    line.textContent = workers === 0 ? word("urgent.no_workers") : word("urgent.some_have", { have, workers });
    await new Promise((later) => setTimeout(later, ASK_EVERY_MS));
  }
}

// --- keys and buttons ----------------------------------------------------------------------------------------

addEventListener("keydown", (event) => {
  if (event.key !== KEY || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  if (!box.open) open(event.shiftKey ? "remove" : "add");
  else if (!ask.hidden) choose(deed === "add" ? "remove" : "add"), field("plate").focus();
});
document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-urgent]");
  if (opener) open(opener.dataset.urgent, opener.dataset.list);
});
box.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.deed !== undefined) choose(button.dataset.deed), field("plate").focus();
  else if (button?.hasAttribute("data-close")) box.close();
  else if (button?.hasAttribute("data-back")) back();
  else if (button?.hasAttribute("data-again")) box.close(), open(deed);
});
box.addEventListener("keydown", (event) => {
  // A key that is held down is no second look.
  if (event.key === "Enter" && event.repeat) event.preventDefault();
});
box.addEventListener("cancel", (event) => {
  if (sure.hidden) return;
  event.preventDefault();
  back();
});
box.addEventListener("close", () => {
  // The plate stays on no shared screen.
  ask.reset();
  if (box.dataset.changed === "true" && location.pathname.startsWith("/hotlists") && location.pathname !== "/hotlists/find") location.reload();
  delete box.dataset.changed;
});

function back() {
  step(ask);
  field("plate").focus();
}
