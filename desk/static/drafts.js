// What somebody types during a call stays in the browser until it is sent: over reloads, other pages, the end of the
// call and a desk that is away. Where its card is gone, it is offered from wherever one is.
import { say } from "./words.js";

const OLDEST_MS = 30 * 24 * 3600 * 1000;
const PARTS = { note: "[data-note]", title: "[data-title]", day: "[data-day]", at: "[data-at]" };
const JSON_HEADERS = { "Content-Type": "application/json" };
const FAILED = say("That did not work; it stays here. Try again in a moment.");

export class Drafts {
  constructor(document, user) {
    this.document = document;
    this.prefix = `ringcard draft ${user} `;
    this.sending = new Set();
    this.#forgetOld();
    document.addEventListener("input", (event) => this.#typed(event.target.closest("[data-typing]")));
    document.addEventListener("click", (event) => this.#clicked(event.target));
    document.addEventListener("submit", (event) => this.#submitted(event));
    addEventListener("storage", (event) => event.key?.startsWith(this.prefix) && this.#elsewhere(event.key));
    new MutationObserver(() => this.#look()).observe(document.getElementById("live"), { childList: true });
    this.#look();
  }

  // --- what is kept

  #read(call) {
    try {
      return JSON.parse(localStorage.getItem(this.prefix + call));
    } catch {
      return null;
    }
  }

  #write(call, draft) {
    if (draft.note.trim() || draft.title.trim()) localStorage.setItem(this.prefix + call, JSON.stringify(draft));
    else localStorage.removeItem(this.prefix + call);
  }

  #calls() {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix)).map((key) => key.slice(this.prefix.length));
  }

  #forgetOld() {
    for (const call of this.#calls()) {
      const draft = this.#read(call);
      if (!draft || Date.now() - draft.when > OLDEST_MS) localStorage.removeItem(this.prefix + call);
    }
  }

  // --- what is typed

  #typed(section) {
    if (!section) return;
    const before = this.#read(section.dataset.typing);
    const draft = { when: Date.now(), who: section.dataset.with, customer: section.dataset.customer || before?.customer };
    for (const [name, place] of Object.entries(PARTS)) draft[name] = section.querySelector(place)?.value ?? before?.[name] ?? "";
    this.#write(section.dataset.typing, draft);
    this.#show(section, draft);
    for (const other of this.#places(section.dataset.typing)) if (other !== section) this.#fill(other, draft);
  }

  #show(section, draft) {
    const full = Boolean(draft && (draft.note.trim() || draft.title.trim()));
    section.classList.toggle("has-draft", full);
    const save = section.querySelector('[data-jot="save"]');
    if (save) save.disabled = !full || this.sending.has(section.dataset.typing);
    if (!full) section.dispatchEvent(new CustomEvent("ringcard:settled", { bubbles: true }));
  }

  #fill(section, draft) {
    for (const [name, place] of Object.entries(PARTS)) {
      const field = section.querySelector(place);
      if (field) field.value = draft?.[name] ?? "";
    }
    const task = section.querySelector(".jot-task");
    if (task) task.hidden = !(draft?.title || draft?.day);
    this.#show(section, draft);
  }

  /** Cards come and go: new ones get what was typed for them, and what has no card any more is offered by itself. */
  #look() {
    const shown = new Set();
    for (const section of this.document.querySelectorAll("[data-typing]")) {
      shown.add(section.dataset.typing);
      if (section.dataset.restored) continue;
      section.dataset.restored = "yes";
      const draft = this.#read(section.dataset.typing);
      if (draft) this.#fill(section, draft);
    }
    this.#offer(this.#calls().filter((call) => !shown.has(call)));
  }

  #elsewhere(key) {
    const call = key.slice(this.prefix.length);
    for (const section of this.#places(call))
      if (!section.contains(this.document.activeElement) || !this.#read(call)) this.#fill(section, this.#read(call));
    this.#look();
  }

  /** On the page of a call its card may be there too. */
  #places(call) {
    return this.document.querySelectorAll(`[data-typing="${CSS.escape(call)}"]`);
  }

  // --- what has no card any more

  #offer(calls) {
    const place = this.document.getElementById("reminders");
    for (const piece of place.querySelectorAll("[data-unsent]")) if (!calls.includes(piece.dataset.unsent)) piece.remove();
    for (const call of calls) {
      if (place.querySelector(`[data-unsent="${CSS.escape(call)}"]`)) continue;
      place.prepend(this.#piece(call, this.#read(call)));
    }
  }

  #piece(call, draft) {
    const make = (name, kind, text = "") => {
      const element = this.document.createElement(name);
      element.className = kind;
      element.textContent = text; // what was typed is text, whatever it looks like
      return element;
    };
    const piece = make("article", "reminder unsent");
    piece.dataset.unsent = call;
    const head = draft.who
      ? say("Not saved yet: your note of the call with {who}", { who: draft.who })
      : say("Not saved yet: your note of the call");
    const who = make("p", "reminder-head", head);
    const what = make("p", "reminder-title", [draft.note, draft.title].filter((part) => part.trim()).join(" · "));
    what.dir = "auto";
    const said = make("p", "reminder-said");
    said.setAttribute("role", "alert");
    said.hidden = true;
    const acts = make("p", "reminder-acts");
    for (const [act, kind, text] of [["save", "btn-primary", say("Save")], ["drop", "btn-outline-secondary", say("Throw away")]]) {
      const button = make("button", `btn btn-sm ${kind}`, text);
      button.type = "button";
      button.dataset.unsentAct = act;
      acts.append(button, " ");
    }
    piece.append(who, what, said, acts);
    return piece;
  }

  // --- sending

  #clicked(target) {
    const unsent = target.closest("[data-unsent-act]");
    if (unsent) return this.#unsent(unsent);
    const button = target.closest("[data-jot]");
    if (!button) return;
    const section = button.closest("[data-typing]");
    if (button.dataset.jot === "save") return this.#save(section);
    const task = section.querySelector(".jot-task");
    task.hidden = !task.hidden;
    if (!task.hidden) task.querySelector("[data-title]").focus();
  }

  #submitted(event) {
    const section = event.target.closest("[data-typing][data-page]");
    if (!section) return;
    event.preventDefault();
    this.#save(section).then((sent) => sent && location.reload());
  }

  async #save(section) {
    const call = section.dataset.typing;
    const said = section.querySelector(".jot-said");
    if (!this.#read(call)) this.#typed(section);
    const problem = await this.#send(call, () => this.#show(section, this.#read(call)));
    this.#fill(section, this.#read(call));
    said.textContent = problem || say("Saved.");
    said.classList.toggle("bad", Boolean(problem));
    return !problem;
  }

  async #unsent(button) {
    const piece = button.closest("[data-unsent]");
    const call = piece.dataset.unsent;
    if (button.dataset.unsentAct === "drop") localStorage.removeItem(this.prefix + call);
    else {
      const problem = await this.#send(call);
      const said = piece.querySelector(".reminder-said");
      said.textContent = problem;
      said.hidden = !problem;
    }
    this.#look();
  }

  /** Why it was not sent; empty when it was. What was sent is no draft any more, and what was typed meanwhile is. */
  async #send(call, begun = () => {}) {
    const draft = this.#read(call);
    if (!draft || this.sending.has(call)) return "";
    this.sending.add(call);
    begun();
    try {
      // A key each, kept with the draft: whoever tries again after a lost answer does not write it twice.
      draft.keys ??= { note: newKey(), title: newKey() };
      this.#write(call, draft);
      if (draft.note.trim()) {
        const problem = await post(`/api/v1/calls/${encodeURIComponent(call)}/notes`, { text: draft.note }, draft.keys.note);
        if (problem) return problem;
        this.#sent(call, draft, ["note"]);
      }
      if (draft.title.trim()) {
        const due_at = draft.day && draft.at ? `${draft.day}T${draft.at}` : draft.day || null;
        const customer = draft.customer ? { customer_id: Number(draft.customer) } : {};
        const problem = await post("/api/v1/tasks", { title: draft.title, due_at, call_id: call, ...customer }, draft.keys.title);
        if (problem) return problem;
        this.#sent(call, draft, ["title", "day", "at"]);
      }
      return "";
    } finally {
      this.sending.delete(call);
    }
  }

  #sent(call, draft, names) {
    const now = this.#read(call) ?? draft;
    for (const name of names) if (now[name] === draft[name]) draft[name] = now[name] = "";
    this.#write(call, now);
  }
}

async function post(address, body, key) {
  const headers = { ...JSON_HEADERS, "Idempotency-Key": key };
  const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) }).catch(() => null);
  if (answer?.ok) return "";
  if (answer?.status === 401) return say("You are signed out; it stays here. Sign in again, then save it.");
  const problem = await answer?.json().catch(() => null);
  return problem?.detail ?? FAILED;
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether something of this card would be lost if it went. */
export function isTyping(card) {
  const section = card.querySelector("[data-typing]");
  return Boolean(section && (section.classList.contains("has-draft") || section.querySelector(":is(textarea, input):focus")));
}

/** Make `held` what `card` is, and leave the place where somebody types where it is, with the cursor in it. */
export function renew(held, card) {
  const kept = held.querySelector(":scope > [data-typing]");
  const fresh = card.querySelector(":scope > [data-typing]");
  if (!kept || !fresh || held.dataset.leaves) {
    held.replaceWith(card);
    return card;
  }
  for (const name of held.getAttributeNames()) held.removeAttribute(name);
  for (const { name, value } of card.attributes) held.setAttribute(name, value);
  for (const name of ["customer", "with"]) kept.dataset[name] = fresh.dataset[name];
  for (const child of [...held.childNodes]) if (child !== kept) child.remove();
  const children = [...card.childNodes];
  const at = children.indexOf(fresh);
  kept.before(...children.slice(0, at));
  kept.after(...children.slice(at + 1));
  return held;
}
