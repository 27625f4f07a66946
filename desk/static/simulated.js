// "Answer" and "End it" of a simulated call, on its card or beside it. The card itself changes by the stream.
import { say } from "./words.js";

export function offerSimulated(document) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-simulated]");
    if (button) go(button);
  });
}

async function go(button) {
  const place = button.closest("[data-call], [data-of-call]");
  const call = place.dataset.call ?? place.dataset.ofCall;
  button.disabled = true;
  const address = `/api/v1/test-calls/${encodeURIComponent(call)}/${button.dataset.simulated}`;
  const answer = await fetch(address, { method: "POST" }).catch(() => null);
  if (answer?.ok) return;
  const problem = await answer?.json().catch(() => null);
  const said = place.querySelector(".choice-said");
  said.textContent = problem?.detail ?? say("That did not work; try again in a moment.");
  said.hidden = false;
  button.disabled = false;
}
