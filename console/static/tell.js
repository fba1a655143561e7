// What is said in passing: to a screen reader, and in a note at the foot of the page.

import { word } from "./words.js";

const SAY_MS = 1_500;
const TOAST_MS = 6_000;
const announcer = document.getElementById("announcer");
const toastBox = document.getElementById("toast");
let waiting = [], timer = 0, toastTimer = 0;

// At fifty alerts a second a sentence each would never be heard to its end: what comes together is counted.
export function say(sentence) {
  waiting.push(sentence);
  if (timer !== 0) return;
  speak();
  timer = setTimeout(function again() {
    timer = waiting.length > 0 ? setTimeout(again, SAY_MS) : 0;
    if (waiting.length > 0) speak();
  }, SAY_MS);
}

function speak() {
  announcer.textContent = waiting.length === 1 ? waiting[0]
    : `${waiting.length} ${word("live.many_arrived")}. ${waiting[waiting.length - 1]}`;
  waiting = [];
}

export function toast(sentence) {
  toastBox.textContent = sentence;
  toastBox.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { toastBox.hidden = true; }, TOAST_MS);
}
