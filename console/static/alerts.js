// All alerts that the page knows, newest first, and those of them that the filter lets through.

export const KEPT = 5_000;

export class Alerts {
  constructor(filter) {
    this.filter = filter;
    this.byId = new Map();
    this.all = [];
    this.view = [];
    this.open = 0;
    this.hidden = 0;
  }

  get(id) {
    return this.byId.get(id);
  }

  // Returns "new", "changed", or null where the page knows better already.
  take(alert) {
    const known = this.byId.get(alert.id);
    if (known !== undefined && alert.seq < known.seq) return null;
    this.byId.set(alert.id, alert);
    if (known === undefined) {
      place(this.all, alert);
      this.#count(alert, 1);
      if (this.filter.passes(alert)) place(this.view, alert);
      if (this.all.length > KEPT) this.#forget(this.all[this.all.length - 1]);
      return "new";
    }
    this.#count(known, -1);
    this.#count(alert, 1);
    replace(this.all, known, alert);
    const shown = replace(this.view, known, alert);
    const passes = this.filter.passes(alert);
    if (shown && !passes) this.view.splice(indexOf(this.view, alert), 1);
    else if (!shown && passes) place(this.view, alert);
    return "changed";
  }

  // A snapshot says what there is: what it does not hold, and is newer than its oldest, is gone.
  reset(alerts) {
    this.byId.clear();
    this.all = [...alerts].sort(order);
    for (const alert of alerts) this.byId.set(alert.id, alert);
    this.refilter();
  }

  refilter() {
    this.view = this.all.filter((alert) => this.filter.passes(alert));
    this.open = 0;
    this.hidden = 0;
    for (const alert of this.all) this.#count(alert, 1);
  }

  indexOf(id) {
    const alert = this.byId.get(id);
    return alert === undefined ? -1 : indexOf(this.view, alert);
  }

  #count(alert, step) {
    if (alert.acknowledgement !== null) return;
    this.open += step;
    if (!this.filter.fits(alert)) this.hidden += step;
  }

  #forget(alert) {
    this.all.pop();
    this.byId.delete(alert.id);
    this.#count(alert, -1);
    const at = indexOf(this.view, alert);
    if (at >= 0) this.view.splice(at, 1);
  }
}

function order(one, other) {
  return other.created_ms - one.created_ms || (one.id < other.id ? 1 : one.id > other.id ? -1 : 0);
}

// Where `alert` is, or would be.
function find(sorted, alert) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (order(sorted[middle], alert) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function indexOf(sorted, alert) {
  const at = find(sorted, alert);
  return sorted[at]?.id === alert.id ? at : -1;
}

function place(sorted, alert) {
  sorted.splice(find(sorted, alert), 0, alert);
}

function replace(sorted, known, alert) {
  const at = indexOf(sorted, known);
  if (at >= 0) sorted[at] = alert;
  return at >= 0;
}
