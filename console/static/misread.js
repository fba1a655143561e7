// What is on the plate that was misread: typed from the picture, and left empty by who cannot tell.

import { ask, fillCompared } from "./ask.js";
import { plateText } from "./vehicle.js";
import { word } from "./words.js";

const box = document.getElementById("misread");
const field = document.getElementById("true-plate");
const hint = document.getElementById("true-hint");
const problem = document.getElementById("true-problem");
let shown = null;

const plain = (text) => text.toUpperCase().replace(/[^0-9A-Z]/g, "");
const shape = (plate) => plate.replace(/[A-Z]/g, "A").replace(/[0-9]/g, "0");

// Gives what is on the plate, "" where that is not known, or null where nothing is to be done.
export async function askTrue(alert, { text = plateText(alert.read), wrong = "" } = {}) {
  shown = alert;
  fillCompared(box, alert);
  box.querySelector(".truth .band").textContent = alert.read_country;
  field.value = text;
  say(wrong);
  const answer = ask(box);
  // All of it is chosen: one key empties it, typing replaces it, an arrow goes into it.
  field.focus();
  field.select();
  if (!await answer) return null;
  // Where what was read is what is listed, the same again tells nothing of what is on the plate.
  return means() === "unchanged" ? "" : field.value;
}

function means() {
  const plate = plain(field.value);
  if (plate === "") return "unknown";
  if (plate === shown.plate) return shown.same ? "unchanged" : "read_right";
  return !shown.same && plate === plain(plateText(shown.listed)) ? "wrong.listed" : "kept";
}

// Either what the text means, or what the desk says is wrong with it.
function say(wrong) {
  const what = means();
  hint.textContent = word(`misread.${what}`);
  hint.classList.toggle("doubt", what === "wrong.listed");
  hint.hidden = wrong !== "";
  problem.textContent = wrong;
  problem.hidden = wrong === "";
  field.setAttribute("aria-invalid", String(wrong !== ""));
}

// Writes a plate as the one above it that is of the same shape: character stands under character.
function alike(text) {
  const plate = plain(text);
  const like = [shown.read, shown.listed].map(plateText).find((each) => shape(plain(each)) === shape(plate));
  if (like === undefined) return text;
  let at = 0;
  return like.replace(/[?*]/g, "").replace(/[0-9A-Z]/g, () => plate[at++]);
}

field?.addEventListener("input", (event) => {
  const typedOn = event.inputType.startsWith("insert") && field.selectionEnd === field.value.length;
  if (typedOn) field.value = alike(field.value);
  say("");
});
