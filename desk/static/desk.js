// What every page of the desk does: live calls come and go, clocks tick, countries get their names.
import { Board } from "./board.js";
import { offerChoices } from "./choice.js";
import { Stream } from "./stream.js";

const page = document.body.dataset;

function connect(tell) {
  if (!("SharedWorker" in window)) return new Stream(page.after, tell);
  const worker = new SharedWorker(page.worker, { type: "module", name: page.session });
  worker.port.onmessage = ({ data }) => tell(data);
  worker.port.postMessage({ kind: "join", after: page.after });
  addEventListener("pagehide", () => worker.port.postMessage({ kind: "leave" }));
  return worker;
}

/** How the connection is; kept on the page, so that it can be seen and waited for. */
function showState(state) {
  const shown = document.getElementById("link-state");
  shown.dataset.state = state;
  shown.querySelector(".text").textContent = { live: "Live", away: "Not live", lost: "Reconnecting" }[state];
}

const board = new Board(document, Number(page.now) - Date.now());

connect((event) => {
  if (event.kind === "signed_out") return location.assign("/sign-in");
  if (event.kind === "lost" || event.kind === "open") {
    page.stream = event.kind;
    return showState(event.kind === "lost" ? "lost" : document.getElementById("banner").hidden ? "live" : "away");
  }
  if (event.kind === "status" || event.kind === "snapshot") {
    document.getElementById("banner").hidden = event.data.live;
    showState(event.data.live ? "live" : "away");
  }
  board.take(event);
});

offerChoices(document);

addEventListener("pageshow", (event) => event.persisted && location.reload()); // what was kept is of long ago

document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, textarea, [contenteditable]")) {
    event.preventDefault();
    document.querySelector(".find input").focus();
  }
  if (event.key === "Escape") document.querySelector(".me[open]")?.removeAttribute("open");
});
document.addEventListener("click", (event) => {
  const menu = document.querySelector(".me[open]");
  if (menu && !menu.contains(event.target)) menu.removeAttribute("open");
});

// What other databases know of a customer comes a moment after the page.
const late = document.querySelector("[data-late]");
if (late) {
  const answer = await fetch(late.dataset.late).catch(() => null);
  if (answer?.ok && !answer.redirected) late.outerHTML = await answer.text();
  else for (const place of late.querySelectorAll(".pending")) place.replaceWith("–");
}
