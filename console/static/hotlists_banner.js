// What is wrong with lists, the desk or the match workers, said above every page of who looks after them.

const EVERY_MS = 60_000;
const banner = document.getElementById("stale-lists");
const late = document.getElementById("workers-behind");

function show(id, wrong) {
  document.getElementById(id).hidden = !wrong;
}

async function look() {
  try {
    const answer = await fetch("/api/hotlists/health", { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { redis, stale, lost, workers, behind } = await answer.json();
    banner.querySelector("strong").textContent = String(stale.length);
    banner.querySelector("span").textContent = stale.map((each) => each.title || each.name).join(", ");
    banner.hidden = stale.length === 0;
    show("desk-away", !redis);
    show("lists-lost", lost);
    show("no-workers", redis && workers === 0);
    late.textContent = late.dataset.text.replace("{behind}", behind).replace("{workers}", workers);
    show("workers-behind", behind > 0);
  } catch {
    // The console is away: the page says so itself, and it is asked again.
  }
}

look();
setInterval(look, EVERY_MS);
