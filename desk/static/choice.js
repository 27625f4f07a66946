// "It is this one", and back: whom a person says to be calling from a number that several customers share.
// A card is not changed here: it comes anew by the stream, to everybody who has it.
import { say } from "./words.js";

export function offerChoices(document) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-choice]");
    if (button) choose(button);
  });
}

async function choose(button) {
  const { choice: number, customer } = button.dataset;
  const card = button.closest("[data-call]");
  button.disabled = true;
  const answer = await fetch(`/api/v1/numbers/${encodeURIComponent(number)}/choice`, {
    method: customer ? "POST" : "DELETE",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(customer ? { customer_id: Number(customer) } : {}),
  }).catch(() => null);
  if (answer?.ok) return card || location.reload();
  const said = (card ?? document).querySelector(".choice-said");
  const problem = await answer?.json().catch(() => null);
  said.textContent = problem?.detail ?? say("That did not work; try again in a moment.");
  said.hidden = false;
  button.disabled = false;
}
