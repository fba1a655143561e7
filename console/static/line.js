// The line to the server: server-sent events, kept up. The server sends a beat every 10 s; a line without one
// for DEAD_MS is dead, whatever the browser thinks of it, and is opened anew where it stopped.

const DEAD_MS = 25_000;
const AGAIN_MS = 1_000;

export class Line {
  #source = null;
  #last = "";
  #heardMs = 0;
  #timer = 0;
  #on;
  #path;

  // on: { state(name), clock(serverMs), leave() }, and a function for each event that carries alerts.
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    setInterval(() => {
      if (this.#source !== null && Date.now() - this.#heardMs > DEAD_MS) this.#again();
    }, 1000);
    addEventListener("online", () => this.#again());
    addEventListener("pagehide", () => this.#source?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) this.#again(); });
  }

  // Go on after a change number that the page has by other ways.
  resumeAfter(seq) {
    this.#last = String(seq);
  }

  open() {
    clearTimeout(this.#timer);
    this.#heardMs = Date.now();
    const query = this.#last === "" ? "" : `?since=${encodeURIComponent(this.#last)}`;
    const source = new EventSource(this.#path + query);
    this.#source = source;
    const hear = (name, act) => source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      this.#heardMs = Date.now();
      if (event.lastEventId) this.#last = event.lastEventId;
      this.#on.state("connected");
      act(event.data);
    });
    for (const name of ["snapshot", "alert", "alerts"]) {
      if (this.#on[name] !== undefined) hear(name, (data) => this.#on[name](JSON.parse(data)));
    }
    hear("beat", (data) => this.#on.clock(Number(data)));
    hear("leave", () => this.#on.leave());
    source.addEventListener("error", () => this.#lost(source));
  }

  async #lost(source) {
    if (source !== this.#source) return;
    this.#on.state("lost");
    if (source.readyState !== EventSource.CLOSED) return;
    // The server gave an answer that was no stream: either the session has ended, or it is not well.
    try {
      const answer = await fetch(location.pathname, { method: "GET", redirect: "manual", credentials: "same-origin" });
      if (answer.type === "opaqueredirect") {
        this.#on.leave();
        return;
      }
    } catch {
      // Away: try again below.
    }
    this.#again();
  }

  #again() {
    this.#source?.close();
    this.#source = null;
    this.#on.state("lost");
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.open(), AGAIN_MS);
  }
}
