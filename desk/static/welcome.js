// The walk to one's first call: its steps follow the call; keyboard and reading aloud follow the steps.

import { chime } from "./notices.js";
import { say } from "./words.js";

const SOUND = 50;
const HEARD_MS = 900; // the sound is over

const steps = document.getElementById("walk-steps");
const said = document.getElementById("walk-said");
const trouble = document.getElementById("walk-trouble");
let asked = 0;

document.addEventListener("ringcard:call", ({ detail }) => detail.id.startsWith("sim-") && renew());
document.addEventListener("ringcard:settled", () => stage() === "talking" && renew()); // a note was saved, perhaps

steps.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.action.endsWith("/welcome/ring")) return;
  event.preventDefault(); // the page stays, so that the call comes to it as any call does
  form.querySelector("button").disabled = true;
  const answer = await fetch(form.action, { method: "POST", redirect: "manual" }).catch(() => null);
  const rang = answer?.type === "opaqueredirect";
  tell(rang ? "" : (await refusal(answer)) || say("That did not work; try again in a moment."));
  await renew();
});

steps.addEventListener("click", ({ target }) => {
  if (target.closest("[data-allow]")) allow();
  if (target.closest("[data-sound]")) sound();
});

function stage() {
  return steps.firstElementChild.dataset.stage;
}

async function renew() {
  const mine = ++asked;
  const answer = await fetch("/pieces/welcome").catch(() => null);
  if (!answer?.ok || answer.redirected || mine !== asked) return;
  const before = stage();
  const here = document.activeElement === document.body || steps.contains(document.activeElement);
  steps.innerHTML = await answer.text();
  offer();
  if (here) steps.querySelector("[data-next]")?.focus({ preventScroll: stage() === before });
  if (stage() !== before) said.textContent = steps.querySelector("[aria-current] h2").textContent.trim();
}

function tell(what) {
  trouble.querySelector("span").textContent = what;
  trouble.hidden = !what;
}

async function refusal(answer) {
  const page = new DOMParser().parseFromString((await answer?.text().catch(() => "")) ?? "", "text/html");
  return page.querySelector("#walk-trouble span")?.textContent.trim();
}

/** What this browser can do, and does not do yet. */
function offer() {
  const can = window.isSecureContext && "Notification" in window;
  const allow = steps.querySelector("[data-allow]");
  if (allow) allow.hidden = !can || Notification.permission !== "default";
  const sound = steps.querySelector("[data-sound]");
  if (sound) sound.hidden = Number(document.body.dataset.volume) > 0;
}

async function allow() {
  await Notification.requestPermission();
  offer();
}

/** It holds from the next page on, so this one becomes the next. */
async function sound() {
  await Promise.all([chime(SOUND), new Promise((over) => setTimeout(over, HEARD_MS))]);
  const body = JSON.stringify({ volume: SOUND });
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch("/api/v1/me/preferences", { method: "PATCH", headers, body }).catch(() => null);
  if (answer?.ok) location.reload();
  else tell(say("The sound could not be kept; try again in a moment."));
}

offer();
