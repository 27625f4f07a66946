// Open cards, lists and reports as tabs. The browser keeps which there are, for each person: ids, and addresses of lists
// that the server has sealed, so that nothing of a customer stays behind. What stands on a tab is asked for at each page.
// Windows share one list: each reads it anew before it changes something, and hears of what the others changed.
import { counted, say } from "./words.js";

const MOST = 12;
const KINDS = {
  c: ["person-vcard", say("Customer")],
  k: ["telephone", say("Call")],
  t: ["check2-square", say("Task")],
  l: ["list-ul", say("List")],
  n: ["person-plus", say("New customer")],
};
const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

export class Tabs {
  constructor(bar, me) {
    this.bar = bar;
    this.place = `ringcard tabs ${me}`;
    this.here = bar.dataset.tab;
    this.known = new Map(); // key -> what the server told of it
    this.#open();
    this.#draw();
    this.#ask();
    this.#scrollBack();
    this.#listen();
  }

  /** Close one; away from it when it is the one that is looked at. */
  close(key) {
    const before = this.#read();
    const at = before.findIndex((tab) => tab.key === key);
    if (at < 0) return;
    this.#write(before.filter((tab) => tab.key !== key));
    if (key === this.here) {
      const next = before[at + 1] ?? before[at - 1];
      this.here = "";
      if (next) return this.#go(next);
      return location.assign("/");
    }
    this.#draw();
  }

  /** Take it out of the list, and stay: what it was for is done. */
  forget(key) {
    this.#write(this.#read().filter((tab) => tab.key !== key));
    this.#draw();
  }

  // --- what is kept

  #read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.place) ?? "[]");
      return Array.isArray(kept) ? kept.filter((tab) => typeof tab?.key === "string" && tab.key[0] in KINDS) : [];
    } catch {
      return [];
    }
  }

  #write(tabs) {
    try {
      localStorage.setItem(this.place, JSON.stringify(tabs));
    } catch {
      // a full or forbidden storage: tabs are then those of this page alone
    }
  }

  #change(key, changes) {
    const tabs = this.#read();
    const tab = tabs.find((one) => one.key === key);
    if (tab) this.#write(tabs.map((one) => (one === tab ? { ...tab, ...changes } : one)));
  }

  /** This page is a tab from now on. A list that was narrowed down from another stays in its tab. */
  #open() {
    const before = sessionStorage.getItem(this.place);
    const key = this.here;
    sessionStorage.setItem(this.place, key);
    if (!key) return;
    let tabs = this.#read();
    const mine = { key, at: this.bar.dataset.at, used: Date.now() };
    const held = tabs.findIndex((tab) => tab.key === key);
    const narrowed = "ln".includes(key[0]) && before?.[0] === key[0] && this.#isSamePlace();
    const from = narrowed ? tabs.findIndex((tab) => tab.key === before && !tab.pinned) : -1;
    if (held >= 0) tabs[held] = { ...tabs[held], ...mine };
    else if (from >= 0) tabs[from] = mine;
    else tabs.push(mine);
    while (tabs.length > MOST) {
      const loose = tabs.filter((tab) => !tab.pinned && tab.key !== key);
      if (!loose.length) tabs = tabs.filter((tab) => tab.key !== key); // all are to stay: this page is then no tab
      else {
        const oldest = loose.reduce((one, other) => (other.used < one.used ? other : one));
        tabs = tabs.filter((tab) => tab !== oldest);
      }
    }
    this.#write(tabs);
  }

  /** Whether one came here from a page at the same address but for what stands behind the question mark. */
  #isSamePlace() {
    try {
      return new URL(document.referrer).pathname === location.pathname;
    } catch {
      return false;
    }
  }

  // --- what is shown

  #draw() {
    const tabs = this.#read();
    const focused = this.bar.contains(document.activeElement) ? document.activeElement.closest("[data-key]")?.dataset.key : "";
    const inMenu = Boolean(document.activeElement?.closest?.(".tabs-menu"));
    this.bar.querySelector(".tabs-bar").replaceChildren(...tabs.map((tab, at) => this.#piece(tab, at, false)));
    this.bar.querySelector(".tabs-list").replaceChildren(...tabs.map((tab, at) => this.#piece(tab, at, true)));
    const here = tabs.find((tab) => tab.key === this.here);
    this.bar.querySelector(".tabs-count").textContent = counted("{n} tab", "{n} tabs", tabs.length);
    this.bar.querySelector(".tabs-here").textContent = here ? this.#title(here) : "";
    this.bar.hidden = !tabs.length && !this.bar.querySelector(".tabs-said").textContent;
    if (focused) this.bar.querySelector(`${inMenu ? ".tabs-list" : ".tabs-bar"} [data-key="${CSS.escape(focused)}"] a`)?.focus();
  }

  #piece(tab, at, inMenu) {
    const piece = document.createElement("li");
    piece.dataset.key = tab.key;
    const link = document.createElement("a");
    link.href = this.#href(tab);
    if (tab.key === this.here) link.setAttribute("aria-current", "page");
    const title = this.#title(tab);
    const text = document.createElement("span");
    text.dir = "auto";
    text.textContent = title;
    if (!this.known.has(tab.key)) text.className = "tab-waits";
    link.append(icon(tab.pinned ? "pin-angle-fill" : KINDS[tab.key[0]][0]), text);
    if (tab.pinned) link.setAttribute("aria-label", say("{title}, kept", { title }));
    if (!inMenu) link.title = at < 9 ? say("{title} (Alt+{place})", { title, place: at + 1 }) : title;
    piece.append(link);
    if (inMenu && tab.pinned) piece.append(button("pin", "pin-angle-fill", say("No longer keep {title}", { title })));
    else if (inMenu) piece.append(button("pin", "pin-angle", say("Keep {title}", { title })));
    const close = button("close", "x", say("Close {title}", { title }));
    if (!inMenu) close.tabIndex = -1; // Delete does it on the tab, and the list has a button for it
    piece.append(close);
    return piece;
  }

  #title(tab) {
    return this.known.get(tab.key)?.title ?? KINDS[tab.key[0]][1];
  }

  #href(tab) {
    const rest = tab.key.slice(1);
    if (tab.key[0] === "c") return `/customers/${rest}${tab.at || ""}`;
    if (tab.key[0] === "k") return `/calls/${rest}`;
    if (tab.key[0] === "t") return `/tasks/${rest}`;
    return this.known.get(tab.key)?.href ?? `/tabs/${encodeURIComponent(tab.key)}`;
  }

  async #ask() {
    const tabs = this.#read().map(({ key, at }) => ({ key, at: at || "" }));
    if (!tabs.length) return;
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("/pieces/tabs", { method: "POST", headers, body: JSON.stringify({ tabs }) }).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const told = (await answer.json()).tabs;
    for (const one of told) if (!one.gone) this.known.set(one.key, one);
    const gone = told.filter((one) => one.gone && one.key !== this.here);
    if (gone.length) {
      const keys = new Set(gone.map((one) => one.key));
      this.#write(this.#read().filter((tab) => !keys.has(tab.key)));
      this.bar.querySelector(".tabs-said").textContent = [...new Set(gone.map((one) => one.said))].join(" ").trim();
    }
    this.#draw();
  }

  // --- what one does

  #go(tab) {
    sessionStorage.setItem(`${this.place} back`, tab.key);
    location.assign(this.#href(tab));
  }

  #scrollBack() {
    const back = sessionStorage.getItem(`${this.place} back`);
    sessionStorage.removeItem(`${this.place} back`);
    if (!this.here || back !== this.here) return;
    const y = this.#read().find((tab) => tab.key === this.here)?.y ?? 0;
    if (y) scrollTo({ top: y, behavior: "instant" });
  }

  #listen() {
    addEventListener("pagehide", () => this.here && this.#change(this.here, { y: Math.round(scrollY) }));
    addEventListener("storage", (event) => {
      if (event.key !== this.place) return;
      this.#draw();
      if (this.#read().some((tab) => !this.known.has(tab.key))) this.#ask();
    });
    this.bar.addEventListener("click", (event) => this.#clicked(event));
    this.bar.addEventListener("auxclick", (event) => {
      const piece = event.target.closest("[data-key]");
      if (event.button !== 1 || !piece) return;
      event.preventDefault();
      this.close(piece.dataset.key);
    });
    this.bar.addEventListener("keydown", (event) => this.#onTab(event));
    document.addEventListener("keydown", (event) => this.#anywhere(event));
    document.addEventListener("click", (event) => {
      const menu = this.bar.querySelector(".tabs-all[open]");
      if (menu && !menu.contains(event.target)) menu.open = false;
    });
  }

  #clicked(event) {
    const key = event.target.closest("[data-key]")?.dataset.key;
    if (!key) return;
    const act = event.target.closest("[data-act]")?.dataset.act;
    if (act) {
      event.stopPropagation(); // the list stays open; what was clicked is not in it any more
      return act === "pin" ? this.#pin(key) : this.#closeAndStay(key);
    }
    if (event.target.closest("a") && !(event.metaKey || event.ctrlKey || event.shiftKey)) sessionStorage.setItem(`${this.place} back`, key);
  }

  #onTab(event) {
    if (event.key === "Escape") {
      const menu = this.bar.querySelector(".tabs-all[open]");
      if (!menu) return;
      menu.open = false;
      return menu.querySelector("summary").focus();
    }
    const piece = event.target.closest("[data-key]");
    if (!piece || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Delete") this.#closeAndStay(piece.dataset.key);
    else if (event.key.toLowerCase() === "p") this.#pin(piece.dataset.key);
    else return;
    event.preventDefault();
  }

  /** Close, and leave the focus on a neighbour in the same list. */
  #closeAndStay(key) {
    const piece = document.activeElement?.closest?.("[data-key]");
    const next = (piece?.nextElementSibling ?? piece?.previousElementSibling)?.dataset.key;
    const list = piece?.parentElement;
    this.close(key);
    if (next && list) list.querySelector(`[data-key="${CSS.escape(next)}"] a`)?.focus();
  }

  #pin(key) {
    const pinned = this.#read().find((tab) => tab.key === key)?.pinned;
    this.#change(key, { pinned: !pinned });
    this.#draw();
  }

  #anywhere(event) {
    if (!event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.defaultPrevented) return;
    if (MAC && event.target.closest("input, textarea, select, [contenteditable]")) return; // there they are letters
    if (document.querySelector("dialog[open]")) return;
    const tabs = this.#read();
    const at = tabs.findIndex((tab) => tab.key === this.here);
    const number = /^Digit([0-9])$/.exec(event.code)?.[1];
    let wanted = null;
    if (number === "0") {
      if (this.bar.hidden) return;
      const menu = this.bar.querySelector(".tabs-all");
      menu.open = true;
      (menu.querySelector(".tabs-list a") ?? menu.querySelector("summary")).focus();
    } else if (number) wanted = tabs[Number(number) - 1];
    else if (event.code === "PageUp") wanted = tabs.at(at < 0 ? -1 : at - 1);
    else if (event.code === "PageDown") wanted = tabs[(at + 1) % tabs.length];
    else if (event.code === "KeyW" && at >= 0) this.close(this.here);
    else return;
    event.preventDefault();
    if (wanted && wanted.key !== this.here) this.#go(wanted);
  }
}

function icon(name) {
  const made = document.createElement("i");
  made.className = `bi bi-${name}`;
  made.setAttribute("aria-hidden", "true");
  return made;
}

function button(act, name, label) {
  const made = document.createElement("button");
  made.type = "button";
  made.dataset.act = act;
  made.setAttribute("aria-label", label);
  made.title = label;
  made.append(icon(name));
  return made;
}
