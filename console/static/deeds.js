// What an operator does to an alert, and what is asked before it is done. Each gives the alert as it then is, or null
// where nothing was done; why is said in plain words.

import { fillSure } from "./rows.js";
import { toast } from "./tell.js";
import { fillPicture, fillPlate } from "./vehicle.js";
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
    return await send(alert, verdict, note, other);
  } finally {
    deciding = false;
  }
}

async function send(alert, verdict, note, takeOver) {
  const seen = alert.acknowledgement?.number ?? 0;
  const answer = await post(alert, "acknowledgement", { verdict, note, seen, take_over: takeOver });
  if (answer === null) return null;
  if (answer.ok) return answer.json();
  if (answer.status !== 409) return refused(answer);
  const { claimed_by: by } = await answer.json();
  if (by === undefined) return toast(word("confirm.changed")), null;
  return await askTakeOver(by) ? send(alert, verdict, note, true) : null;
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
  fillPicture(confirmBox.querySelector(".patch"), alert, "patch");
  confirmBox.querySelector(".vehicle").hidden = !alert.has_picture;
  fillPicture(confirmBox.querySelector(".vehicle"), alert, "picture");
  fillPlate(confirmBox.querySelector(".plate.read"), alert.read, alert.read_country);
  fillPlate(confirmBox.querySelector(".plate.listed"), alert.listed, alert.listed_country);
  fillSure(confirmBox.querySelector(".sure"), alert);
  return ask(confirmBox);
}

function askTakeOver(name) {
  takeOverBox.querySelector("h2").textContent = word("confirm.claimed", { name });
  return ask(takeOverBox);
}

function ask(box) {
  box.returnValue = "no";
  box.showModal();
  return new Promise((decided) => {
    box.addEventListener("close", () => decided(box.returnValue === "yes"), { once: true });
  });
}
