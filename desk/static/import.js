// How far an import is, asked every second; when something else is to be shown, the page is loaded anew.
const shown = document.querySelector("[data-import]");

async function look() {
  const answer = await fetch(`/api/v1/imports/${shown.dataset.import}`, { headers: { Accept: "application/json" } });
  if (!answer.ok) return answer.status === 401 || answer.status === 404 ? location.reload() : undefined;
  const one = await answer.json();
  if (one.state !== shown.dataset.state || one.interrupted) return location.reload();
  document.getElementById("import-said").textContent = one.said;
  const bar = shown.querySelector("progress");
  if (one.state === "importing" && one.rows) {
    bar.max = one.rows;
    bar.value = one.done;
  }
}

if (shown) setInterval(() => look().catch(() => {}), 1000); // away: asked again
