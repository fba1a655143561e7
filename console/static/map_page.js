// The page of the map: the drawing, the list of cameras beside it, and what was seen at the chosen one.

import { cameras, draw } from "./map.js";
import { momentText, word } from "./words.js";

const list = document.getElementById("cameras"), recent = document.getElementById("recent");

async function choose(camera) {
  for (const button of list.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.camera === camera.id));
  }
  const answer = await fetch(`/map/cameras/${encodeURIComponent(camera.id)}/alerts`).catch(() => null);
  if (answer?.status === 401) location.assign("/sign-in");
  if (!answer?.ok) return;
  const found = await answer.json();
  recent.hidden = false;
  recent.querySelector("h2 span").textContent = camera.name;
  recent.querySelector("ol").replaceChildren(...found.map(line));
  if (found.length === 0) recent.querySelector("ol").append(text("li", word("map.nothing")));
}

function line(alert) {
  const item = document.createElement("li"), link = text("a", alert.read.map(([piece]) => piece).join(""));
  link.href = `/#${alert.id}`;
  item.append(link, ` ${alert.list}, ${momentText(alert.captured_ms)}`);
  return item;
}

function text(name, content) {
  const made = document.createElement(name);
  made.textContent = content;
  return made;
}

if (list !== null) {
  const drawing = await draw(document.getElementById("map"), { onCamera: choose });
  const known = new Map((await cameras()).map((camera) => [camera.id, camera]));
  list.addEventListener("click", (event) => {
    const camera = known.get(event.target.closest("button")?.dataset.camera);
    if (camera === undefined) return;
    drawing.show(camera.id);
    choose(camera);
  });
}
