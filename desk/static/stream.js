// The stream of live calls: one EventSource that always comes back, from the last id it saw.
// The browser itself gives up after an answer other than 200, and never notices a server that went silent; this does.

const KINDS = ["ringing", "answered", "moved", "ended", "card_changed", "task_due", "snapshot", "status", "heartbeat", "signed_out"];
const PAUSES_MS = [300, 1000, 2000, 4000, 8000];

/** Whether stream id `a` ("1700000000000-3") comes after `b`; an id comes after none. */
export function isAfter(a, b) {
  if (!a || !b) return Boolean(a);
  const [aMs, aNo] = a.split("-").map(Number);
  const [bMs, bNo] = b.split("-").map(Number);
  return aMs === bMs ? aNo > bNo : aMs > bMs;
}

export class Stream {
  /** `tell({kind, id, data})` gets every event, and the kinds "open", "lost" and "signed_out" of the connection itself. */
  constructor(after, tell) {
    this.after = after;
    this.tell = tell;
    this.failures = 0;
    this.silentMs = 20_000; // until the server has said how often it speaks
    this.#open();
    addEventListener("online", () => this.reopen(this.after));
  }

  /** Begin again now, after this id. */
  reopen(after) {
    this.after = after;
    this.failures = 0;
    this.#close();
    this.#open();
  }

  #open() {
    this.source = new EventSource(`/api/v1/events?pieces=true&after=${encodeURIComponent(this.after)}`);
    for (const kind of KINDS) this.source.addEventListener(kind, (event) => this.#take(kind, event));
    this.source.onerror = () => this.#lost();
    this.#expect();
  }

  #take(kind, event) {
    const data = JSON.parse(event.data);
    if (kind === "heartbeat") this.silentMs = data.next_s * 2500;
    this.#expect();
    if (kind === "signed_out") return this.#end();
    if (this.failures || !this.opened) {
      this.failures = 0;
      this.opened = true;
      this.tell({ kind: "open" });
    }
    if (kind === "heartbeat") return;
    if (event.lastEventId) this.after = event.lastEventId;
    this.tell({ kind, id: this.after, data });
  }

  #expect() {
    clearTimeout(this.watch);
    this.watch = setTimeout(() => this.#lost(), this.silentMs);
  }

  async #lost() {
    this.#close();
    this.opened = false;
    this.tell({ kind: "lost" });
    const pause = PAUSES_MS[Math.min(this.failures++, PAUSES_MS.length - 1)];
    this.again = setTimeout(() => this.#open(), pause * (0.7 + 0.6 * Math.random()));
    const answer = await fetch("/api/v1/me").catch(() => null);
    if (answer?.status === 401) this.#end();
  }

  #close() {
    clearTimeout(this.watch);
    clearTimeout(this.again);
    this.source.close();
  }

  #end() {
    this.#close();
    this.tell({ kind: "signed_out" });
  }
}
