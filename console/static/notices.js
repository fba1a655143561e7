// What is wrong with cameras, said above every page of who looks after them: the live page is open all night.

const EVERY_MS = 60_000;
const banner = document.getElementById("technical");

async function look() {
  try {
    const answer = await fetch("/statistics/notices", { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { waiting } = await answer.json();
    banner.querySelector("strong").textContent = waiting;
    banner.hidden = waiting === 0;
  } catch {
    // The console is away: the page says so itself, and it is asked again.
  }
}

look();
setInterval(look, EVERY_MS);
