// What is seen of a vehicle: its plate, character by character, and its pictures.

import { word } from "./words.js";

export function plateText(pieces) {
  return pieces.map(([text]) => text).join("");
}

// The band is there without a country too: what was read and what is listed stand character under character.
export function fillPlate(element, pieces, country) {
  const band = document.createElement("span");
  band.className = "band";
  band.textContent = country;
  element.replaceChildren(band, ...pieces.map(([text, differs]) => {
    const part = document.createElement(differs ? "mark" : "span");
    part.textContent = text;
    if (differs) part.title = word("alert.differs");
    if (differs && text === "") fillGap(part);
    return part;
  }));
}

// The other plate has a character here: an empty place to see, and a word to hear.
function fillGap(part) {
  const said = document.createElement("span");
  said.className = "unseen";
  said.textContent = word("alert.gap");
  part.className = "gap";
  part.append(said);
}

// Puts the picture of `kind` (patch or picture) in `box`; one that is no image leaves a word in its place.
export function fillPicture(box, alert, kind, folder = "/alerts") {
  const none = box.querySelector(".no-patch");
  box.dataset.none ??= none.textContent;
  none.textContent = box.dataset.none;
  box.classList.remove("has-image");
  box.querySelector("img")?.remove();
  if (!alert[`has_${kind}`]) return;
  const image = new Image();
  image.alt = word(`alert.${kind}`);
  image.addEventListener("load", () => box.classList.add("has-image"));
  image.addEventListener("error", () => {
    image.remove();
    none.textContent = word("alert.unreadable");
  });
  image.src = `${folder}/${encodeURIComponent(alert.id)}/${kind}.jpg`;
  box.append(image);
}
