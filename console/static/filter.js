// Which alerts are shown. Remembered in this browser; never a plate.

const KEY = "kruispunt.filter";
const NOTHING = { show: "all", priority: "", category: "", zone: "" };
const AT_LEAST = { high: ["critical", "high"], critical: ["critical"] };

export class Filter {
  constructor(user) {
    this.user = user;
    let kept = {};
    try {
      kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      // What cannot be read is forgotten.
    }
    this.chosen = { ...NOTHING };
    for (const name of Object.keys(NOTHING)) if (typeof kept[name] === "string") this.chosen[name] = kept[name];
  }

  set(name, value) {
    this.chosen[name] = value;
    localStorage.setItem(KEY, JSON.stringify(this.chosen));
  }

  clear() {
    for (const name of ["priority", "category", "zone"]) this.set(name, "");
  }

  // Whether it hides alerts that are still to be dealt with: that must be said.
  get narrows() {
    const { priority, category, zone } = this.chosen;
    return priority !== "" || category !== "" || zone !== "";
  }

  passes(alert) {
    const { show } = this.chosen;
    if (show === "open" && alert.acknowledgement !== null) return false;
    if (show === "mine" && alert.claim?.by !== this.user && alert.acknowledgement?.by !== this.user) return false;
    return this.fits(alert);
  }

  fits(alert) {
    const { priority, category, zone } = this.chosen;
    if (priority !== "" && !(AT_LEAST[priority] ?? []).includes(alert.priority)) return false;
    return (category === "" || alert.category === category) && (zone === "" || alert.zone === zone);
  }
}
