// One stream for all tabs of a browser: a server and a browser allow only few connections each.
// A tab says the id its page was made at; it gets what came since, from here or, when that is too old, from the server.
import { Stream, isAfter } from "./stream.js";

const KEPT = 500;
const ports = new Set();
const kept = [];
let stream = null;
let floor = ""; // everything after this id is in `kept`
let state = { kind: "lost" };

function tell(event) {
  if (["open", "lost", "signed_out"].includes(event.kind)) state = event;
  if (event.kind === "snapshot") {
    kept.length = 0;
    floor = event.id;
  } else if (event.id) {
    kept.push(event);
    if (kept.length > KEPT) floor = kept.shift().id;
  }
  for (const port of ports) port.postMessage(event);
}

function join(port, after) {
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
    // A changed card comes under the id of the notice before it: a page made in between is not known to have it.
    for (const event of kept)
      if (isAfter(event.id, after) || (event.id === after && event.kind === "card_changed")) port.postMessage(event);
  }
}

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    if (data.kind === "join") join(port, data.after);
    if (data.kind === "leave") ports.delete(port);
  };
};
