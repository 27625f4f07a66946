// "Block", on the card of a live call: whoever calls from this number is not let in any more.
import { say } from "./words.js";

export function offerBlocking(document) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-block]");
    if (button && confirm(asked(button.dataset.block))) block(button);
  });
}

function asked(caller) {
  return say("Block {caller}? Calls from it will not ring here any more.", { caller });
}

async function block(button) {
  button.disabled = true;
  const answer = await fetch("/api/v1/blocked", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ caller: button.dataset.block, note: say("from the card of a call") }),
  }).catch(() => null);
  if (answer?.ok) return button.replaceWith(say("Blocked from the next call on."));
  const said = button.closest("[data-call]").querySelector(".choice-said");
  const problem = await answer?.json().catch(() => null);
  said.textContent = problem?.detail ?? say("That did not work; try again in a moment.");
  said.hidden = false;
  button.disabled = false;
}
