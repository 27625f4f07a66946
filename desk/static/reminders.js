// Tasks that have come up: they stay until there is a word on them, on every page and in every tab.
// Each is a piece of the page made by the server; here it is only put in its place and taken away again.
import { counted, say } from "./words.js";

const SHOWN = 3; // more would cover the page; the rest is behind a link
const AGAIN_MS = 5_000;

export class Reminders {
  constructor(document) {
    this.document = document;
    this.place = document.getElementById("reminders");
    this.place.addEventListener("click", (event) => {
      const button = event.target.closest("[data-act]");
      if (button) this.#act(button);
    });
    this.refresh();
  }

  /** An event `task_due`: something came up, or was dealt with, here or elsewhere. */
  take({ task_id: id, up, html }) {
    this.changed = true;
    this.#refreshDay();
    if (up && !html) return this.#later(); // it could not be read just now
    this.#put(String(id), up ? html : "");
  }

  /** All of them anew: when a page begins, and after a gap in what it was told. */
  async refresh() {
    this.changed = false;
    const answer = await fetch("/pieces/reminders").catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    if (answer.headers.has("Retry-After")) return this.#later();
    const html = await answer.text();
    if (this.changed) return this.refresh(); // something was told meanwhile: this may be from before it
    const template = this.document.createElement("template");
    template.innerHTML = html; // escaped by the server
    const known = new Set([...template.content.children].map((piece) => piece.dataset.task));
    for (const held of this.#held()) if (!known.has(held.dataset.task)) held.remove();
    for (const piece of [...template.content.children]) this.#replace(piece);
    this.#count();
  }

  #put(id, html) {
    if (!html) this.#held().find((held) => held.dataset.task === id)?.remove();
    else {
      const template = this.document.createElement("template");
      template.innerHTML = html;
      this.#replace(template.content.firstElementChild);
    }
    this.#count();
  }

  #replace(piece) {
    const held = this.#held().find((each) => each.dataset.task === piece.dataset.task);
    if (held) held.replaceWith(piece);
    else {
      piece.classList.add("arriving");
      this.place.append(piece);
    }
  }

  #held() {
    return [...this.place.querySelectorAll("[data-task]")];
  }

  #count() {
    this.place.querySelector(".reminders-more")?.remove();
    const more = this.#held().length - SHOWN;
    this.#held().forEach((held, at) => { held.hidden = at >= SHOWN; });
    if (more <= 0) return;
    const link = this.document.createElement("a");
    link.className = "reminders-more btn btn-sm btn-outline-secondary";
    link.href = "/tasks";
    link.textContent = counted("{n} more", "{n} more", more);
    this.place.append(link);
  }

  /** The first page lists what is to be done today. */
  async #refreshDay() {
    const day = this.document.getElementById("today");
    const answer = day && (await fetch("/pieces/today").catch(() => null));
    if (answer?.ok && !answer.redirected) day.innerHTML = await answer.text();
  }

  #later() {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.refresh(), AGAIN_MS);
  }

  async #act(button) {
    const piece = button.closest("[data-task]");
    const { act, until } = button.dataset;
    for (const each of piece.querySelectorAll("button")) each.disabled = true;
    const answer = await fetch(`/api/v1/tasks/${piece.dataset.task}/${act}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(until ? { until } : {}),
    }).catch(() => null);
    if (answer?.ok) return this.#put(piece.dataset.task, "");
    const problem = await answer?.json().catch(() => null);
    const said = piece.querySelector(".reminder-said");
    said.textContent = problem?.detail ?? say("That did not work; try again in a moment.");
    said.hidden = false;
    for (const each of piece.querySelectorAll("button")) each.disabled = false;
  }
}
