// When a call alerts a person, beside its card: once for each call, when they chose to see the card.
// It only decides; who asks for it shows the notification, in the language of its page, and plays the sound.

const STALE_MS = 15_000; // what was missed while the computer slept is no news
const APART_MS = 4_000; // calls that come together sound once
const REMEMBERED = 200;

export class Alerts {
  /** `act("alert", {id, call, notify, volume})`, and `act("hush", {id})` when it is over. */
  constructor(act) {
    this.act = act;
    this.calls = new Map(); // call_id -> { version, told }
    this.sounded = -Infinity;
    this.ahead = 0;
  }

  /** As the person has it now. `ahead`: how many milliseconds the server's clock is ahead of ours. */
  prefer({ popUp, notify, volume }, ahead) {
    Object.assign(this, { popUp, notify, volume, ahead });
  }

  take(event) {
    if (event.kind === "snapshot") for (const item of event.data.calls) this.#take(item);
    else if (event.data?.call_id) this.#take(event.data);
  }

  #take({ call_id: id, version, call }) {
    const known = this.calls.get(id) ?? { version: 0, told: false, over: false };
    if (known.over || version < known.version) return;
    known.version = version;
    this.calls.set(id, known);
    if (this.calls.size > REMEMBERED) this.calls.delete(this.calls.keys().next().value);
    const state = call?.state ?? "elsewhere";
    if (!known.told && this.#isDue(call)) {
      known.told = true;
      this.act("alert", { id, call, notify: this.notify, volume: this.#volume() });
    }
    known.over = state === "ended";
    if (known.told && state !== "ringing" && state !== "talking") this.act("hush", { id });
  }

  #isDue(call) {
    if (!call || call.direction === "outbound") return false; // whom I call I know
    if (Date.now() + this.ahead - call.since_ms > STALE_MS) return false;
    return (this.popUp === "ringing" && call.state === "ringing") || (this.popUp === "answer" && call.state === "talking");
  }

  #volume() {
    if (!this.volume || Date.now() - this.sounded < APART_MS) return 0;
    this.sounded = Date.now();
    return this.volume;
  }
}
