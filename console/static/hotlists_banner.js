// Lists that are out of date, and a desk that is away, said above every page of who looks after them.

const EVERY_MS = 60_000;
const banner = document.getElementById("stale-lists");

async function look() {
  try {
    const answer = await fetch("/api/hotlists/health", { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { redis, stale } = await answer.json();
    banner.querySelector("strong").textContent = String(stale.length);
    banner.querySelector("span").textContent = stale.map((each) => each.title || each.name).join(", ");
    banner.hidden = stale.length === 0;
    document.getElementById("desk-away").hidden = redis;
  } catch {
    // The console is away: the page says so itself, and it is asked again.
  }
}

look();
setInterval(look, EVERY_MS);
