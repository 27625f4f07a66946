// The live calls on this page. Each event carries the finished piece of the page, made and escaped by the server;
// here it is only decided whether it is news, where it goes, and when it leaves again.

import { isTyping, renew } from "./drafts.js";
import { say } from "./words.js";

const ELSEWHERE_MS = 6_000; // "answered by Dara" can be read
const ENDED_MS = 12_000;
const TYPING_MS = 1_000; // so soon after the note was saved a card goes that waited for it
const LOG_FOLLOWS_MS = [400, 1500, 4000]; // an ended call is in the log a moment later

export class Board {
  /** `ahead`: how many milliseconds the server's clock is ahead of ours. `popUp`: when a card comes up by itself. */
  constructor(document, ahead, popUp) {
    this.document = document;
    this.ahead = ahead;
    this.popUp = popUp; // never | ringing | answer
    this.mine = new Set(document.body.dataset.calls.split(" ").filter(Boolean)); // my calls, shown here or not
    this.live = document.getElementById("live");
    this.team = document.getElementById("team");
    this.inCorner = this.live.classList.contains("live-corner"); // else this is the page that is there to show them
    this.versions = new Map(); // call_id -> version shown
    this.over = new Set(); // an end is never taken back
    this.talked = new Set(); // calls in which this person was on the phone
    this.dismissed = new Set(JSON.parse(sessionStorage.getItem("dismissed") ?? "[]"));
    for (const card of this.live.querySelectorAll("[data-call]")) this.#adopt(card);
    this.document.addEventListener("click", (event) => this.#dismiss(event));
    this.#tick();
    setInterval(() => this.#tick(), 1000);
    this.#title();
  }

  take(event) {
    if (event.kind === "snapshot") this.#replace(event.data.calls);
    else if (event.kind !== "status") this.#put(event.data, event.kind);
    this.#title();
  }

  #replace(calls) {
    const known = new Set(calls.map((call) => call.call_id));
    for (const card of this.live.querySelectorAll("[data-call]"))
      if (!known.has(card.dataset.call) && !card.dataset.leaves) this.#leave(card, 0);
    for (const id of this.mine) if (!known.has(id)) this.#count(id, null);
    for (const row of this.team?.children ?? []) if (!known.has(row.dataset.team)) row.remove();
    for (const call of calls) this.#put(call, "snapshot");
  }

  #put(item, kind) {
    const { call_id: id, version, call, team } = item;
    if (this.over.has(id) || version < (this.versions.get(id) ?? 0)) return;
    this.versions.set(id, version);
    const ended = (call ?? team).state === "ended";
    if (ended) this.over.add(id);
    if (call?.state === "talking") this.talked.add(id);
    this.#count(id, call);
    this.#putCard(id, call, item.html);
    this.#putTeam(id, team, item.team_html);
    if (ended && call) this.#refreshDay();
    this.document.dispatchEvent(new CustomEvent("ringcard:call", { detail: { kind, id, version, state: call?.state } }));
  }

  #putCard(id, call, html) {
    const held = this.live.querySelector(`[data-call="${CSS.escape(id)}"]`);
    if (!call) return held && this.#leave(held, 0);
    const mine = call.state === "ringing" || call.state === "talking";
    if ((!mine && !held) || (!held && !this.#comesUp(call)) || this.dismissed.has(id)) return;
    const toldWho = held?.dataset.state === "elsewhere" && !this.talked.has(id);
    if (call.state === "ended" && toldWho) return; // it says who answered, and leaves already
    const before = held?.dataset.state;
    let card = this.#piece(html);
    if (held) card = renew(held, card);
    else {
      card.classList.add("arriving");
      this.live.append(card);
    }
    if (before !== call.state) this.#announce(card, call);
    if (!mine) this.#leave(card, call.state === "ended" ? ENDED_MS : ELSEWHERE_MS);
  }

  /** Whether the card of a call that is not shown yet comes up by itself, as the person chose. */
  #comesUp(call) {
    if (!this.inCorner || this.popUp === "ringing") return true;
    return this.popUp === "answer" && call.state === "talking";
  }

  /** The way to the desk says that there is a call, also to who wants no card. */
  #count(id, call) {
    if (call && (call.state === "ringing" || call.state === "talking")) this.mine.add(id);
    else this.mine.delete(id);
    this.document.body.dataset.calls = [...this.mine].join(" ");
  }

  #putTeam(id, team, html) {
    if (!this.team) return;
    const held = this.team.querySelector(`[data-team="${CSS.escape(id)}"]`);
    if (!team || team.state === "ended") return held?.remove();
    const row = this.#piece(html);
    if (held) held.replaceWith(row);
    else this.team.append(row);
  }

  #piece(html) {
    const template = this.document.createElement("template");
    template.innerHTML = html; // escaped by the server; scripts in it would not run, and our policy forbids them
    const element = template.content.firstElementChild;
    this.#tick(element);
    return element;
  }

  #adopt(card) {
    this.versions.set(card.dataset.call, Number(card.dataset.version));
    if (this.dismissed.has(card.dataset.call)) card.remove();
  }

  /** `typed`: also when something that somebody typed is not sent yet; else it waits until it is. */
  #leave(card, after, typed = false) {
    card.dataset.leaves = "soon";
    setTimeout(() => {
      if (!typed && isTyping(card)) return this.#leave(card, TYPING_MS);
      card.classList.add("leaving");
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      setTimeout(() => { card.remove(); this.#title(); }, still ? 0 : 350);
    }, after);
  }

  #dismiss(event) {
    const card = event.target.closest("[data-dismiss]")?.closest("[data-call]");
    if (!card) return;
    this.dismissed.add(card.dataset.call);
    sessionStorage.setItem("dismissed", JSON.stringify([...this.dismissed].slice(-50)));
    this.#leave(card, 0, true);
  }

  #announce(card, call) {
    const who = card.getAttribute("aria-label");
    const what = card.querySelector(".call-state").textContent.trim();
    this.document.getElementById("announcer").textContent = {
      ringing: () => say("Incoming call: {who}", { who }),
      talking: () => say("On the phone with: {who}", { who }),
      elsewhere: () => say("{what}: {who}", { what, who }),
      ended: () => say("Call ended: {who}", { who }),
    }[call.state]();
  }

  #title() {
    this.plain ??= this.document.title;
    const card = this.live.querySelector('[data-state="ringing"]:not([data-leaves])');
    this.document.title = card ? `☎ ${card.getAttribute("aria-label")}` : this.plain;
  }

  #tick(root = this.document) {
    const now = Date.now() + this.ahead;
    for (const time of root.querySelectorAll(".ticking")) {
      const seconds = Math.max(0, Math.floor((now - Number(time.dataset.since)) / 1000));
      const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
      const shown = parts[0] ? parts : parts.slice(1);
      time.textContent = shown.map((part, at) => (at ? String(part).padStart(2, "0") : part)).join(":");
    }
  }

  #refreshDay() {
    const day = this.document.getElementById("today");
    if (!day) return;
    this.refreshes?.forEach(clearTimeout);
    this.refreshes = LOG_FOLLOWS_MS.map((after) => setTimeout(async () => {
      const answer = await fetch("/pieces/today").catch(() => null);
      if (answer?.ok) day.innerHTML = await answer.text();
    }, after));
  }
}
