// The list that is drawn only where it is looked at. Every row is as high as the next, so a row's place is its number;
// the chosen row is always there, so that the keyboard and a screen reader never lose it.

import { fillRow, loadPictures, makeRow, tick } from "./rows.js";

const MORE = 4;
const SETTLED_MS = 180;
const CALM_MS = 400;

export class Window {
  #scroller;
  #list;
  #alerts;
  #rows = new Map();
  #places = new Map();
  #asked = false;
  #anchor = null;
  #top = 0;
  #sight = 0;
  #settling = 0;
  #arrived = new Map();
  #flood = 0;
  #lastMs = 0;
  chosen = null;

  constructor(scroller, list, alerts, on) {
    this.#scroller = scroller;
    this.#list = list;
    this.#alerts = alerts;
    this.on = on; // { drawn(), nearEnd() }
    scroller.addEventListener("scroll", () => {
      // What this window scrolled itself it has remembered already.
      if (scroller.scrollTop === this.#top) return;
      this.#top = scroller.scrollTop;
      this.#remember();
      this.ask();
    }, { passive: true });
    new ResizeObserver(() => { this.#measure(); this.ask(); }).observe(scroller);
    this.#measure();
  }

  // Asking the browser for sizes in the middle of a drawing makes it lay everything out once more: they are kept.
  #measure() {
    this.rowHeight = parseFloat(getComputedStyle(this.#scroller).getPropertyValue("--row"));
    this.#sight = this.#scroller.clientHeight;
    this.#top = this.#scroller.scrollTop;
  }

  #scroll(top) {
    this.#scroller.scrollTop = top;
    this.#top = this.#scroller.scrollTop;
  }

  // Rows before the first that can be seen.
  get above() {
    return Math.floor(this.#top / this.rowHeight);
  }

  get atTop() {
    return this.#top < 8;
  }

  row(id) {
    return this.#rows.get(id);
  }

  // A row that arrived glows for a moment; where all of them do, none stands out, and glowing costs every frame.
  fresh(id) {
    const now = performance.now();
    this.#flood = now - this.#lastMs < CALM_MS ? this.#flood + 1 : 0;
    this.#lastMs = now;
    if (this.#flood < 4) this.#arrived.set(id, now);
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
    const last = Math.min(view.length, this.above + Math.ceil(this.#sight / height) + MORE);
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
    this.#places = wanted;
    const size = String(this.#alerts.view.length), now = performance.now();
    let next = this.#list.firstElementChild;
    for (const [id, at] of wanted) {
      const alert = this.#alerts.get(id);
      let row = this.#rows.get(id);
      // From the first vehicle's picture on, every row keeps a place for one: the columns stay in line.
      if (alert.has_picture) this.#list.classList.add("with-vehicles");
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
    if (Math.abs(top - this.#top) > 0.5) this.#scroll(top);
  }

  // Where rows are drawn counts, not where they will be: alerts that came since are not in sight yet.
  #remember() {
    const height = this.rowHeight, top = this.#top, view = this.#alerts.view;
    const at = this.#places.get(this.chosen) ?? -1;
    const offset = at * height - top;
    if (at >= 0 && offset > -height && offset < this.#sight) {
      this.#anchor = { id: this.chosen, offset };
    } else if (this.atTop) {
      this.#anchor = null;
    } else {
      const shown = Math.min(Math.floor(top / height), view.length - 1);
      const drawn = [...this.#places].find(([, place]) => place === shown)?.[0] ?? view[shown]?.id;
      this.#anchor = drawn === undefined ? null : { id: drawn, offset: shown * height - top };
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
    const height = this.rowHeight, top = this.#top, sight = this.#sight;
    if (at * height < top) this.#scroll(at * height);
    else if ((at + 1) * height > top + sight) this.#scroll((at + 1) * height - sight);
  }

  toTop() {
    this.#anchor = null;
    this.#scroll(0);
    this.draw();
  }

  tick() {
    for (const row of this.#rows.values()) tick(row, row.alert);
  }

  // Pictures are fetched for rows that have stayed: not for those that fly by.
  #settled() {
    for (const row of this.#rows.values()) loadPictures(row);
  }
}
