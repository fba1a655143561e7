// A map drawn by ourselves: cameras with the way they look, and a vehicle's sightings as a line with its direction.
// It needs no tile server; where one is set, its pictures lie below. Web Mercator, as tile servers have it.

import { desk, timeText, word } from "./words.js";

const NS = "http://www.w3.org/2000/svg";
const TILE_PX = 256;
const ZOOM_MIN = 6, ZOOM_MAX = 19;
const EARTH_M = 40_075_016.686;
let asked = null;

export function cameras() {
  asked ??= fetch("/map/cameras.json").then((answer) => (answer.ok ? answer.json() : [])).catch(() => {
    asked = null;
    return [];
  });
  return asked;
}

// Draws into `box`; `onCamera(camera)` is called when one is chosen. Gives { show(id) }.
export async function draw(box, { sightings = [], onCamera = null } = {}) {
  const all = await cameras();
  const byId = new Map(all.map((camera) => [camera.id, camera]));
  const passed = [...sightings].reverse().filter((each) => byId.has(each.camera_id))
    .map((each) => ({ ...each, at: byId.get(each.camera_id) }));
  const view = new View(box, all, passed, onCamera);
  view.fit();
  const lost = sightings.length - passed.length;
  if (lost > 0) {
    const line = document.createElement("p");
    line.textContent = `${lost} ${word("map.unplaced")}`;
    box.append(line);
  }
  return { show: (id) => view.centre(byId.get(id)) };
}

// Degrees -> the unit square of Web Mercator.
function project({ latitude, longitude }) {
  const sine = Math.sin((latitude * Math.PI) / 180);
  return { x: longitude / 360 + 0.5, y: 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI) };
}

class View {
  constructor(box, all, passed, onCamera) {
    this.all = all.map((camera) => ({ ...camera, ...project(camera) }));
    this.passed = passed.map((each) => ({ ...each, ...project(each.at) }));
    this.onCamera = onCamera;
    this.svg = make("svg", { role: "img", "aria-label": described(all, passed), class: "map-drawing" });
    const buttons = document.createElement("div");
    buttons.className = "map-buttons";
    for (const [text, name, act] of [
      ["+", "map.in", () => this.zoomBy(1)], ["−", "map.out", () => this.zoomBy(-1)], ["⤢", "map.fit", () => this.fit()],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.title = word(name);
      button.setAttribute("aria-label", word(name));
      button.addEventListener("click", act);
      buttons.append(button);
    }
    box.replaceChildren(this.svg, buttons);
    this.#listen();
  }

  get size() {
    const { clientWidth, clientHeight } = this.svg;
    return { width: clientWidth || 340, height: clientHeight || 260 };
  }

  get scale() {
    return TILE_PX * 2 ** this.zoom;
  }

  place({ x, y }) {
    const { width, height } = this.size;
    return { px: (x - this.x) * this.scale + width / 2, py: (y - this.y) * this.scale + height / 2 };
  }

  fit() {
    const points = this.passed.length > 0 ? this.passed : this.all;
    if (points.length === 0) return;
    const xs = points.map((each) => each.x), ys = points.map((each) => each.y);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    this.x = (left + right) / 2;
    this.y = (top + bottom) / 2;
    const { width, height } = this.size;
    const span = Math.max((right - left) / (width - 90), (bottom - top) / (height - 90), 1e-9);
    this.zoom = Math.min(15.5, Math.max(ZOOM_MIN, Math.log2(1 / span / TILE_PX)));
    this.draw();
  }

  centre(camera) {
    if (camera === undefined) return;
    Object.assign(this, project(camera));
    this.chosen = camera.id;
    this.zoom = Math.max(this.zoom, 14);
    this.draw();
  }

  zoomBy(steps, px = null, py = null) {
    const { width, height } = this.size;
    const dx = (px ?? width / 2) - width / 2, dy = (py ?? height / 2) - height / 2;
    const before = this.scale;
    this.zoom = Math.min(ZOOM_MAX, Math.max(ZOOM_MIN, this.zoom + steps));
    this.x += dx / before - dx / this.scale;
    this.y += dy / before - dy / this.scale;
    this.draw();
  }

  draw() {
    const { width, height } = this.size;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const seen = new Set(this.passed.map((each) => each.camera_id));
    this.svg.replaceChildren(
      ...this.#tiles(width, height), ...this.#grid(width, height),
      ...this.all.map((camera) => this.#camera(camera, seen.has(camera.id))),
      ...this.#track(), ...this.#legend(width, height),
    );
  }

  #tiles(width, height) {
    if (!desk.tiles) return [];
    const zoom = Math.round(this.zoom), count = 2 ** zoom, side = this.scale / count, found = [];
    const left = Math.floor((this.x - width / 2 / this.scale) * count), top = Math.floor((this.y - height / 2 / this.scale) * count);
    for (let column = left; column <= left + Math.ceil(width / side) + 1; column += 1) {
      for (let row = Math.max(0, top); row <= Math.min(count - 1, top + Math.ceil(height / side) + 1); row += 1) {
        const { px, py } = this.place({ x: column / count, y: row / count });
        const address = desk.tiles.replace("{z}", zoom).replace("{x}", ((column % count) + count) % count).replace("{y}", row);
        found.push(make("image", { href: address, x: px, y: py, width: side + 0.5, height: side + 0.5, class: "tile" }));
      }
    }
    return found;
  }

  // A kilometre grid, so that a drawing without streets still has distances.
  #grid(width, height) {
    const step = this.#stepM() / this.#mPerPx();
    const lines = [];
    for (let x = (width / 2) % step; x < width; x += step) lines.push(make("line", { x1: x, y1: 0, x2: x, y2: height, class: "grid" }));
    for (let y = (height / 2) % step; y < height; y += step) lines.push(make("line", { x1: 0, y1: y, x2: width, y2: y, class: "grid" }));
    return lines;
  }

  #mPerPx() {
    const latitude = Math.atan(Math.sinh(Math.PI * (1 - 2 * this.y)));
    return (EARTH_M * Math.cos(latitude)) / this.scale;
  }

  #stepM() {
    const wanted = this.#mPerPx() * 90;
    return [50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000].find((each) => each >= wanted) ?? 200_000;
  }

  #camera(camera, seen) {
    const { px, py } = this.place(camera);
    const group = make("g", { transform: `translate(${px} ${py})`, class: `camera${seen ? " seen" : ""}${camera.id === this.chosen ? " chosen" : ""}` });
    const title = make("title", {});
    title.textContent = `${camera.name}, ${camera.municipality}; ${word("map.looks")} ${Math.round(camera.heading)}°`;
    group.append(title, make("path", { d: "M0 0 L-9 -24 A26 26 0 0 1 9 -24 Z", class: "cone", transform: `rotate(${camera.heading})` }), make("circle", { r: 5.5 }));
    if (seen || this.zoom > 13.5 || this.all.length <= 8) {
      // Below the mark, or below the cone where that is what lies there.
      group.append(label(camera.name, 0, Math.cos((camera.heading * Math.PI) / 180) < -0.5 ? 40 : 20));
    }
    if (this.onCamera !== null) group.addEventListener("click", () => { this.chosen = camera.id; this.draw(); this.onCamera(camera); });
    return group;
  }

  #track() {
    const found = [], points = this.passed.map((each) => ({ ...each, ...this.place(each) }));
    for (let number = 1; number < points.length; number += 1) {
      const from = points[number - 1], to = points[number];
      if (Math.hypot(to.px - from.px, to.py - from.py) < 2) continue;
      found.push(make("line", { x1: from.px, y1: from.py, x2: to.px, y2: to.py, class: "track" }));
      const turn = (Math.atan2(to.py - from.py, to.px - from.px) * 180) / Math.PI;
      found.push(make("path", {
        d: "M7 0 L-6 -7 L-3 0 L-6 7 Z", class: "arrow",
        transform: `translate(${(from.px + to.px) / 2} ${(from.py + to.py) / 2}) rotate(${turn})`,
      }));
    }
    // Several sightings at one camera share a mark: the numbers stand beside one another.
    const places = new Map();
    points.forEach((each, number) => {
      const known = places.get(each.camera_id);
      if (known === undefined) places.set(each.camera_id, { ...each, numbers: [number + 1] });
      else { known.numbers.push(number + 1); known.captured_ms = each.captured_ms; }
    });
    for (const each of places.values()) {
      const last = each.numbers.includes(points.length);
      const group = make("g", { transform: `translate(${each.px} ${each.py})`, class: last ? "sighting last" : "sighting" });
      group.append(make("circle", { r: last ? 11 : 9 }), text(String(each.numbers[each.numbers.length - 1]), 0, 4), label(timeText(each.captured_ms), 0, -16));
      found.push(group);
    }
    return found;
  }

  #legend(width, height) {
    const stepM = this.#stepM(), length = stepM / this.#mPerPx();
    const words = stepM < 1000 ? `${stepM} m` : `${stepM / 1000} km`;
    return [
      make("path", { d: `M12 ${height - 18} v6 h${length} v-6`, class: "scale" }), label(words, 12 + length / 2, height - 18),
      make("path", { d: `M${width - 20} 34 l5 -16 l5 16 l-5 -4 Z`, class: "north" }), label("N", width - 15, 15),
    ];
  }

  #listen() {
    let from = null;
    this.svg.addEventListener("pointerdown", (event) => { from = { x: event.clientX, y: event.clientY }; });
    addEventListener("pointerup", () => { from = null; });
    this.svg.addEventListener("pointermove", (event) => {
      if (from === null || event.buttons === 0) return;
      this.x -= (event.clientX - from.x) / this.scale;
      this.y -= (event.clientY - from.y) / this.scale;
      from = { x: event.clientX, y: event.clientY };
      this.draw();
    });
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(event.deltaY < 0 ? 0.5 : -0.5, event.offsetX, event.offsetY);
    }, { passive: false });
    new ResizeObserver(() => { if (this.zoom !== undefined) this.draw(); }).observe(this.svg);
  }
}

function described(all, passed) {
  if (passed.length === 0) return word("map.described_none", { cameras: all.length });
  return word("map.described", { cameras: all.length, sightings: passed.length, last: passed[passed.length - 1].at.name });
}

function make(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function text(content, x, y) {
  const made = make("text", { x, y, "text-anchor": "middle" });
  made.textContent = content;
  return made;
}

function label(content, x, y) {
  const made = text(content, x, y);
  made.setAttribute("class", "label");
  return made;
}
