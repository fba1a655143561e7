// The list that is drawn only where it is looked at. Every row is as high as the next, so a row's place is its number;
// the chosen row is always there, so that the keyboard and a screen reader never lose it.

import { fillRow, loadPatch, makeRow, tick } from "./rows.js";

const MORE = 4;
const SETTLED_MS = 180;

export class Window {
  #scroller;
  #list;
  #alerts;
  #rows = new Map();
  #asked = false;
  #anchor = null;
  #settling = 0;
  #arrived = new Map();
  chosen = null;

  constructor(scroller, list, alerts, on) {
    this.#scroller = scroller;
    this.#list = list;
    this.#alerts = alerts;
    this.on = on; // { drawn(), nearEnd() }
    scroller.addEventListener("scroll", () => { this.#remember(); this.ask(); }, { passive: true });
    new ResizeObserver(() => this.ask()).observe(scroller);
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.#scroller).getPropertyValue("--row"));
  }

  // Rows before the first that can be seen.
  get above() {
    return Math.floor(this.#scroller.scrollTop / this.rowHeight);
  }

  get atTop() {
    return this.#scroller.scrollTop < 8;
  }

  row(id) {
    return this.#rows.get(id);
  }

  fresh(id) {
    this.#arrived.set(id, performance.now());
  }

  // Draw at the next frame: fifty changes between two frames are one drawing.
  ask() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => { this.#asked = false; this.draw(); });
  }

  draw() {
    const view = this.#alerts.view, height = this.rowHeight;
    this.#list.style.height = `${view.length * height}px`;
    this.#hold(height);
    const first = Math.max(0, this.above - MORE);
    const last = Math.min(view.length, this.above + Math.ceil(this.#scroller.clientHeight / height) + MORE);
    const wanted = new Map();
    const chosenAt = this.chosen === null ? -1 : this.#alerts.indexOf(this.chosen);
    if (chosenAt >= 0 && chosenAt < first) wanted.set(this.chosen, chosenAt);
    for (let at = first; at < last; at += 1) wanted.set(view[at].id, at);
    if (chosenAt >= last) wanted.set(this.chosen, chosenAt);
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    this.#put(wanted, height);
    if (chosenAt < 0 && view.length > 0) this.#list.firstElementChild.tabIndex = 0;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#settled(), SETTLED_MS);
    this.#remember();
    this.on.drawn();
    if (last === view.length) this.on.nearEnd();
  }

  #put(wanted, height) {
    const size = String(this.#alerts.view.length), now = performance.now();
    let next = this.#list.firstElementChild;
    for (const [id, at] of wanted) {
      const alert = this.#alerts.get(id);
      let row = this.#rows.get(id);
      if (row === undefined) {
        row = makeRow(alert);
        this.#rows.set(id, row);
        if (now - (this.#arrived.get(id) ?? -Infinity) < 500) row.classList.add("fresh");
        tick(row, alert);
        this.#list.insertBefore(row, next);
      } else {
        next = row.nextElementSibling;
        if (row.alert !== alert) { fillRow(row, alert); tick(row, alert); }
      }
      row.style.transform = `translateY(${at * height}px)`;
      row.setAttribute("aria-posinset", String(at + 1));
      row.setAttribute("aria-setsize", size);
      row.classList.toggle("chosen", id === this.chosen);
      row.tabIndex = id === this.chosen ? 0 : -1;
    }
    this.#arrived.clear();
  }

  // What was looked at stays where it was, whatever comes in above it; at the top, the newest push in.
  #hold(height) {
    if (this.#anchor === null) return;
    const at = this.#alerts.indexOf(this.#anchor.id);
    if (at < 0) return;
    const top = at * height - this.#anchor.offset;
    if (Math.abs(top - this.#scroller.scrollTop) > 0.5) this.#scroller.scrollTop = top;
  }

  #remember() {
    const height = this.rowHeight, top = this.#scroller.scrollTop, view = this.#alerts.view;
    const at = this.chosen === null ? -1 : this.#alerts.indexOf(this.chosen);
    const offset = at * height - top;
    if (at >= 0 && offset > -height && offset < this.#scroller.clientHeight) {
      this.#anchor = { id: this.chosen, offset };
    } else if (this.atTop) {
      this.#anchor = null;
    } else {
      const shown = Math.min(Math.floor(top / height), view.length - 1);
      this.#anchor = shown < 0 ? null : { id: view[shown].id, offset: shown * height - top };
    }
  }

  choose(id, { focus }) {
    this.chosen = id;
    const at = this.#alerts.indexOf(id);
    if (at >= 0) this.#reveal(at);
    this.#anchor = null;
    this.draw();
    if (focus) this.#rows.get(id)?.focus({ preventScroll: true });
  }

  #reveal(at) {
    const height = this.rowHeight, top = this.#scroller.scrollTop, sight = this.#scroller.clientHeight;
    if (at * height < top) this.#scroller.scrollTop = at * height;
    else if ((at + 1) * height > top + sight) this.#scroller.scrollTop = (at + 1) * height - sight;
  }

  toTop() {
    this.#anchor = null;
    this.#scroller.scrollTop = 0;
    this.draw();
  }

  tick() {
    for (const row of this.#rows.values()) tick(row, row.alert);
  }

  // Pictures are fetched for rows that have stayed: not for those that fly by.
  #settled() {
    for (const row of this.#rows.values()) loadPatch(row);
  }
}
