// Goes on as soon as the desk answers: asked now and then, when the network comes back, and on a click.

const EVERY_MS = 5_000;

async function look() {
  const answer = await fetch("/static/offline.js?look", { cache: "no-store" }).catch(() => null);
  if (answer) location.reload();
}

addEventListener("online", look);
document.getElementById("again").addEventListener("click", () => location.reload());
setInterval(look, EVERY_MS);
