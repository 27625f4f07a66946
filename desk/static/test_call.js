// The page of test calls: the story of the last one goes on by itself, and doctor is asked once.

const story = document.getElementById("simulated-story");
const call = story.dataset.story;

document.addEventListener("ringcard:call", async ({ detail }) => {
  if (detail.id !== call) return;
  const answer = await fetch(`/pieces/simulated-story?call=${encodeURIComponent(call)}`).catch(() => null);
  if (answer?.ok && !answer.redirected) story.innerHTML = await answer.text();
});

for (const form of document.querySelectorAll("form[data-busy]"))
  form.addEventListener("submit", () => {
    const button = form.querySelector("button");
    button.setAttribute("aria-disabled", "true");
    button.disabled = true;
    button.textContent = `${form.dataset.busy} …`;
  });
addEventListener("pageshow", ({ persisted }) => persisted && location.reload());
