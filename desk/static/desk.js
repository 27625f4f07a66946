// What every page of the desk does: live calls come and go, clocks tick, countries get their names.
import { offerBlocking } from "./block.js";
import { Alerts } from "./alerts.js";
import { Board } from "./board.js";
import { offerChoices } from "./choice.js";
import { Drafts } from "./drafts.js";
import { Forms } from "./forms.js";
import { offerFinding } from "./find.js";
import { alerted, hushed } from "./notices.js";
import { Reminders } from "./reminders.js";
import { offerSimulated } from "./simulated.js";
import { Stream } from "./stream.js";
import { Tabs } from "./tabs.js";
import { askWho } from "./who.js";
import { say } from "./words.js";

const page = document.body.dataset;

const ahead = Number(page.now) - Date.now();
const SAID = { live: say("Live"), away: say("Not live"), lost: say("Reconnecting") };
const preferences = { popUp: page.popUp, notify: page.notify === "yes", volume: Number(page.volume) };

function connect(tell) {
  if (!("SharedWorker" in window)) return alone(tell);
  const worker = new SharedWorker(page.worker, { type: "module", name: page.session });
  worker.port.onmessage = async ({ data }) => {
    if (data.kind === "alert") worker.port.postMessage({ kind: "alerted", ...(await alerted(data)) });
    else tell(data);
  };
  worker.port.postMessage({ kind: "join", after: page.after, ahead, preferences });
  const seen = () => document.visibilityState === "visible" && worker.port.postMessage({ kind: "seen" });
  addEventListener("focus", seen);
  document.addEventListener("visibilitychange", seen);
  addEventListener("pagehide", () => worker.port.postMessage({ kind: "leave" }));
  return worker;
}

/** A browser without shared workers, as on some phones: this window has its own connection, and alerts by itself. */
function alone(tell) {
  const alerts = new Alerts((kind, one) => (kind === "hush" ? hushed(one) : alerted(one)));
  alerts.prefer(preferences, ahead);
  return new Stream(page.after, (event) => {
    tell(event);
    alerts.take(event);
  });
}

/** How the connection is; kept on the page, so that it can be seen and waited for. */
function showState(state) {
  const shown = document.getElementById("link-state");
  shown.dataset.state = state;
  shown.querySelector(".text").textContent = SAID[state];
}

const board = new Board(document, ahead, page.popUp);
const reminders = new Reminders(document);
new Drafts(document, page.me);
const tabs = new Tabs(document.getElementById("tabs"), page.me);
new Forms(document, page.me, tabs);

connect((event) => {
  if (event.kind === "hush") return hushed(event);
  if (event.kind === "preferences") return void (board.popUp = event.preferences.popUp); // changed in another window
  if (event.kind === "signed_out") return location.assign("/sign-in");
  if (event.kind === "lost" || event.kind === "open") {
    page.stream = event.kind;
    return showState(event.kind === "lost" ? "lost" : document.getElementById("banner").hidden ? "live" : "away");
  }
  if (event.kind === "status" || event.kind === "snapshot") {
    document.getElementById("banner").hidden = event.data.live;
    showState(event.data.live ? "live" : "away");
  }
  if (event.kind === "task_due") return reminders.take(event.data);
  if (event.kind === "snapshot") reminders.refresh(); // what came up in the gap
  board.take(event);
});

offerChoices(document);
offerBlocking(document);
offerSimulated(document);
askWho(document);
offerFinding(document.querySelector(".find"));

navigator.serviceWorker?.register(`/sw.js?language=${document.documentElement.lang}`).catch(() => {}); // without https there is none, and nothing else is lost

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
