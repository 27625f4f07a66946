// What is typed into a form and not saved stays in the browser: over other pages and tabs, reloads, and a session that
// ran out. It goes when it is saved, when somebody cancels or drops it, and when its person signs out.
import { counted, say } from "./words.js";

const OLDEST_MS = 30 * 24 * 3600 * 1000;

export class Forms {
  constructor(document, me, tabs) {
    this.prefix = `ringcard form ${me} `;
    this.sent = `ringcard sent ${me}`;
    this.tabs = tabs;
    this.form = document.querySelector("form[data-keep]");
    this.key = this.prefix + (tabs.here || location.pathname) + (tabs.bar.dataset.at || "");
    this.#forgetOld();
    const refused = this.#settle();
    // Not before the form's own script is there, which makes lines for more numbers.
    if (this.form) document.addEventListener("DOMContentLoaded", () => this.#keep(refused), { once: true });
    document.addEventListener("submit", (event) => this.#leaving(event));
  }

  /** What was sent from the page before: saved when the answer led on, as it does not where the desk is away, or the
   * session ran out. True when the form came back to be mended. */
  #settle() {
    const { key, path, tab } = JSON.parse(sessionStorage.getItem(this.sent) ?? "{}");
    sessionStorage.removeItem(this.sent);
    if (!key) return false;
    if (location.pathname !== path) {
      if (!ledOnFrom(path)) return false;
      localStorage.removeItem(key);
      if (tab?.startsWith("n")) this.tabs.forget(tab);
      return false;
    }
    this.key = key; // the answer to a form has no address of its own
    return Boolean(this.form && wasRefused());
  }

  #keep(refused) {
    const was = this.#values();
    const kept = refused ? null : this.#read(this.key);
    const held = JSON.stringify(was);
    if (refused) this.#write();
    else if (kept && JSON.stringify(kept.values) !== held) this.#restore(kept.values);
    else if (kept) localStorage.removeItem(this.key);
    const typed = () => (JSON.stringify(this.#values()) === held && !refused ? localStorage.removeItem(this.key) : this.#write());
    this.form.addEventListener("input", typed);
    this.form.addEventListener("click", ({ target }) => {
      if (target.closest(".change-foot a")) localStorage.removeItem(this.key); // cancelled
      else if (target.closest("[data-remove-line]")) setTimeout(typed); // a line was emptied by a script
    });
    this.form.addEventListener("submit", () =>
      sessionStorage.setItem(this.sent, JSON.stringify({ key: this.key, path: location.pathname, tab: this.tabs.here })),
    );
  }

  #restore(values) {
    const focused = document.activeElement;
    for (const [name, value] of Object.entries(values)) {
      if (/^number\.\d+$/.test(name) && !this.form.elements[name]) document.getElementById("add-line")?.click();
      const field = this.form.elements[name];
      if (!field || field.type === "file" || isTouched(field)) continue;
      if (field.type === "checkbox") field.checked = Boolean(value);
      else field.value = value;
    }
    if (focused !== document.activeElement) focused?.focus?.();
    const note = document.createElement("p");
    note.className = "form-kept";
    note.setAttribute("role", "status");
    const drop = document.createElement("button");
    drop.type = "button";
    drop.className = "btn btn-sm btn-link";
    drop.textContent = say("Drop it");
    drop.addEventListener("click", () => {
      localStorage.removeItem(this.key);
      location.reload();
    });
    note.append(say("What you typed here and did not save is back."), " ", drop);
    this.form.querySelector("h1, [name]:not([type=hidden])")?.closest("h1, .change-field, form > *")?.after(note);
  }

  #values() {
    const values = {};
    for (const field of this.form.elements) {
      if (!field.name || ["file", "password", "submit", "button"].includes(field.type)) continue;
      values[field.name] = field.type === "checkbox" ? field.checked : field.value;
    }
    return values;
  }

  #read(key) {
    try {
      return JSON.parse(localStorage.getItem(key));
    } catch {
      return null;
    }
  }

  #write() {
    try {
      localStorage.setItem(this.key, JSON.stringify({ when: Date.now(), values: this.#values() }));
    } catch {
      // the storage is full or forbidden: the form is as safe as any other page
    }
  }

  #all() {
    return Object.keys(localStorage).filter((key) => key.startsWith(this.prefix));
  }

  #forgetOld() {
    for (const key of this.#all()) if (!(Date.now() - this.#read(key)?.when < OLDEST_MS)) localStorage.removeItem(key);
  }

  /** Signing out leaves nothing to read behind; who has typed something is asked once more. */
  #leaving(event) {
    if (!event.target.matches('form[action="/sign-out"]')) return;
    const button = event.target.querySelector("button");
    const unsaved = this.#all().length;
    if (unsaved && !button.dataset.asked) {
      event.preventDefault();
      button.dataset.asked = "yes";
      button.textContent = counted(
        "Sign out, and drop what is not saved in a form",
        "Sign out, and drop what is not saved in {n} forms",
        unsaved,
      );
      return;
    }
    for (const key of this.#all()) localStorage.removeItem(key);
    sessionStorage.clear();
  }
}

/** Whether this page is a form that came back: by its status, or where the browser does not tell that by what it says. */
function wasRefused() {
  const status = performance.getEntriesByType("navigation")[0]?.responseStatus;
  return status ? status >= 400 : Boolean(document.querySelector("main :is(.said[role=alert], [aria-invalid=true])"));
}

/** Whether somebody was quicker than this script. */
function isTouched(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.options) {
    const usual = [...field.options].findIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(usual, 0);
  }
  return field.value !== field.defaultValue;
}

/** Whether this page is where a server sent on whoever sent a form at `path`. */
function ledOnFrom(path) {
  const [navigation] = performance.getEntriesByType("navigation");
  try {
    return navigation.redirectCount > 0 && new URL(document.referrer).pathname === path;
  } catch {
    return false;
  }
}
