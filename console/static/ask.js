// What is asked before something is done: a dialog over the page, with the pictures and the plates side by side.

import { fillPicture, fillPlate } from "./vehicle.js";

// True where the answer was yes; Escape, and any other button, is no.
export function ask(box) {
  const ended = new AbortController();
  box.returnValue = "no";
  box.showModal();
  return new Promise((decided) => {
    const end = (yes) => {
      ended.abort();
      decided(yes);
    };
    // Escape is an answer at once: "close" comes a moment later, and a key pressed meanwhile would be lost.
    box.addEventListener("cancel", () => end(false), { signal: ended.signal });
    box.addEventListener("close", () => end(box.returnValue === "yes"), { signal: ended.signal });
  });
}

export function fillCompared(box, alert) {
  fillPicture(box.querySelector(".patch"), alert, "patch");
  box.querySelector(".vehicle").hidden = !alert.has_picture;
  fillPicture(box.querySelector(".vehicle"), alert, "picture");
  fillPlate(box.querySelector(".plate.read"), alert.read, alert.read_country);
  fillPlate(box.querySelector(".plate.listed"), alert.listed, alert.listed_country);
}
