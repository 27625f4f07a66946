// One stream for all tabs of a browser: a server and a browser allow only few connections each.
// A tab says the id its page was made at; it gets what came since, from here or, when that is too old, from the server.
// What alerts a person, a notification and a sound, is decided here as well, so that each call has one of each; the tab
// that does it says it in the language of its page.
import { Alerts } from "./alerts.js";
import { Stream, isAfter } from "./stream.js";

const KEPT = 500;
const ANSWER_MS = 1500; // a tab that was closed without a word does not answer
const ports = new Set(); // the one that was looked at last comes last
const kept = [];
let stream = null;
let floor = ""; // everything after this id is in `kept`
let state = { kind: "lost" };

const alerts = new Alerts((kind, one) => (kind === "hush" ? tellAll({ kind, ...one }) : alert(one)));
const waiting = new Map(); // call_id -> what to do with a tab's answer

/** Has one tab do it: the one that was looked at last, and what that one cannot, the one before it. */
async function alert(one) {
  let { notify, volume } = one;
  for (const port of [...ports].reverse()) {
    if (!notify && !volume) return;
    const done = await new Promise((answered) => {
      waiting.set(one.id, answered);
      setTimeout(answered, ANSWER_MS, {});
      port.postMessage({ ...one, kind: "alert", notify, volume });
    });
    waiting.delete(one.id);
    if (done.shown) notify = false;
    if (done.sounded) volume = 0;
  }
}

function tellAll(event) {
  for (const port of ports) port.postMessage(event);
}

function tell(event) {
  if (["open", "lost", "signed_out"].includes(event.kind)) state = event;
  if (event.kind === "snapshot") {
    kept.length = 0;
    floor = event.id;
  } else if (event.id) {
    kept.push(event);
    if (kept.length > KEPT) floor = kept.shift().id;
  }
  tellAll(event);
  alerts.take(event); // after the cards, which matter more
}

function join(port, { after, preferences, ahead }) {
  alerts.prefer(preferences, ahead);
  tellAll({ kind: "preferences", preferences });
  ports.add(port);
  if (!stream) {
    floor = after;
    stream = new Stream(after, tell);
    return;
  }
  port.postMessage(state);
  if (isAfter(floor, after) || !after) {
    kept.length = 0;
    floor = after;
    stream.reopen(after); // other tabs see some events again, which changes nothing there
  } else {
    // A changed card and a task that was dealt with come under the id of the notice before: a page made in between is
    // not known to have them.
    for (const event of kept)
      if (isAfter(event.id, after) || (event.id === after && ["card_changed", "task_due"].includes(event.kind)))
        port.postMessage(event);
  }
}

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "join") join(port, data);
    if (data.kind === "seen" && ports.delete(port)) ports.add(port);
    if (data.kind === "alerted") waiting.get(data.id)?.(data);
    if (data.kind === "leave") ports.delete(port);
  };
};
