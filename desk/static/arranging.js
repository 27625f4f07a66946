// The fields of the card: rows move without a round trip, and the preview follows what is typed, a moment later.
import { say } from "./words.js";

const form = document.querySelector(".arranging");
const place = document.getElementById("preview");
const unsaved = form.querySelector("[data-unsaved]");
const PAUSE_MS = 350;
let timer = 0;
let asked = 0;
let sent = false;

async function preview() {
  const mine = ++asked;
  place.setAttribute("aria-busy", "true");
  const answer = await fetch(form.dataset.preview, { method: "POST", body: new FormData(form) }).catch(() => null);
  if (mine !== asked) return; // a newer one is under way
  if (answer?.ok && !answer.redirected) place.innerHTML = await answer.text(); // our own server's page, escaped there
  place.setAttribute("aria-busy", "false");
}

function touched() {
  unsaved.textContent = say("Not saved yet.");
  clearTimeout(timer);
  timer = setTimeout(preview, PAUSE_MS);
}

function move(row, up) {
  const other = up ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  if (up) other.before(row);
  else other.after(row);
  touched();
}

function showChoices(type) {
  const choices = type.closest("[data-row]").querySelector("[data-for-choice]");
  if (choices) choices.hidden = type.value !== "choice";
}

for (const type of form.querySelectorAll("[data-type]")) showChoices(type);

form.addEventListener("input", ({ target }) => {
  if (target.matches("[data-type]")) showChoices(target);
  if (target.name === "customer") return void preview();
  if (!target.name.startsWith("new_")) touched();
});

form.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const row = button.closest("[data-row]");
  if (row && ["up", "down"].includes(button.dataset.do)) {
    event.preventDefault();
    move(row, button.dataset.do === "up");
    button.focus(); // it moved with its row
  }
  if (button.value === "preview") {
    event.preventDefault();
    preview();
  }
});

// Enter in a text field is no wish to save, or to add: it looks at the preview.
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.target.matches("input:not([type=checkbox])")) return;
  event.preventDefault();
  if (event.target.name === "new_label") return void form.querySelector('button[value="add"]').click();
  preview();
});

form.addEventListener("submit", () => (sent = true));
addEventListener("beforeunload", (event) => {
  if (!sent && unsaved.textContent.trim()) event.preventDefault();
});
