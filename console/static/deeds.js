// What an operator does to an alert, and what is asked before it is done. Each gives the alert as it then is, or null
// where nothing was done; why is said in plain words.

import { ask, fillCompared } from "./ask.js";
import { askTrue } from "./misread.js";
import { fillSure } from "./rows.js";
import { toast } from "./tell.js";
import { desk, word } from "./words.js";

const csrf = document.querySelector("meta[name=csrf]").content;
const confirmBox = document.getElementById("confirm");
const takeOverBox = document.getElementById("take-over");
let deciding = false;

export async function judge(alert, verdict, note) {
  // A second key while the first is being asked about is not a second verdict.
  if (deciding) return null;
  deciding = true;
  try {
    const other = alert.claim !== null && alert.claim.by !== desk.user;
    if (other && !await askTakeOver(alert.claim.by)) return null;
    if (verdict === "confirmed" && alert.verify && !await askConfirm(alert)) return null;
    if (verdict === "misread") return await tell(alert, note, other);
    return await send(alert, { verdict, note }, other);
  } finally {
    deciding = false;
  }
}

// What is on the plate is asked again, with what was wrong with it, until it is taken or given up.
async function tell(alert, note, takeOver) {
  let given;
  for (;;) {
    const text = await askTrue(alert, given);
    if (text === null) return null;
    const judged = await send(alert, { verdict: "misread", note, true_plate: text }, takeOver);
    if (judged?.wrong === undefined) return judged;
    given = { text, wrong: judged.wrong };
  }
}

async function send(alert, said, takeOver) {
  const seen = alert.acknowledgement?.number ?? 0;
  const answer = await post(alert, "acknowledgement", { ...said, seen, plate: alert.plate, take_over: takeOver });
  if (answer === null) return null;
  if (answer.ok) return answer.json();
  if (answer.status === 422) return { wrong: (await answer.json()).detail };
  if (answer.status !== 409) return refused(answer);
  const { claimed_by: by } = await answer.json();
  if (by === undefined) return toast(word("confirm.changed")), null;
  return await askTakeOver(by) ? send(alert, said, true) : null;
}

export async function claim(alert) {
  const other = alert.claim !== null && alert.claim.by !== desk.user;
  if (other && !await askTakeOver(alert.claim.by)) return null;
  const answer = await post(alert, "claim", { take_over: other });
  if (answer === null) return null;
  if (answer.ok) return answer.json();
  if (answer.status !== 409) return refused(answer);
  const { claimed_by: by } = await answer.json();
  if (!await askTakeOver(by)) return null;
  const again = await post(alert, "claim", { take_over: true });
  return again?.ok ? again.json() : null;
}

export async function release(alert) {
  const answer = await post(alert, "release", {});
  return answer === null ? null : answer.ok ? answer.json() : refused(answer);
}

async function post(alert, deed, body) {
  try {
    return await fetch(`/alerts/${encodeURIComponent(alert.id)}/${deed}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify(body),
    });
  } catch {
    toast(word("live.failed"));
    return null;
  }
}

function refused(answer) {
  if (answer.status === 401) location.assign("/sign-in");
  else toast(word({ 403: "live.forbidden", 404: "live.gone" }[answer.status] ?? "live.failed"));
  return null;
}

function askConfirm(alert) {
  fillCompared(confirmBox, alert);
  fillSure(confirmBox.querySelector(".sure"), alert);
  return ask(confirmBox);
}

function askTakeOver(name) {
  takeOverBox.querySelector("h2").textContent = word("confirm.claimed", { name });
  return ask(takeOverBox);
}
