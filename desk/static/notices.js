// A notification of the computer and a sound, when alerts.js says so. Both only where the browser was allowed to.
import { counted, say } from "./words.js";

let context = null;

/** Shows and plays what is asked for; says which of both was done. */
export async function alerted({ id, call, notify, volume }) {
  const shown = Boolean(notify) && (await show(id, call).catch(() => false));
  const sounded = Boolean(volume) && (await chime(volume).catch(() => false));
  document.dispatchEvent(new CustomEvent("ringcard:alerted", { detail: { id, shown, sounded } }));
  return { id, shown, sounded };
}

/** The call is over here: nothing is left lying about. */
export async function hushed({ id }) {
  const worker = await navigator.serviceWorker?.getRegistration();
  for (const each of (await worker?.getNotifications({ tag: id })) ?? []) each.close();
}

async function show(id, call) {
  if (!("Notification" in window) || Notification.permission !== "granted") return false;
  const worker = await navigator.serviceWorker?.ready;
  if (!worker) return false;
  const { title, body } = told(call);
  // One tag, one notification: even if two windows showed it, the second takes the place of the first.
  await worker.showNotification(title, { body, tag: id, icon: "/static/icons/icon-192.png", silent: true });
  return true;
}

function told(call) {
  const number = call.number?.text ?? "";
  const [customer] = call.customers.length === 1 && call.expected === 1 ? call.customers : [];
  const share = () => counted("{n} customer shares this number", "{n} customers share this number", call.expected);
  const title = customer?.name || (call.expected > 1 && share()) || number || say("Number withheld");
  const body = [call.simulated ? say("Simulated call") : "", customer?.company, title === number ? "" : number];
  return { title, body: body.filter(Boolean).join(" · ") };
}

/** Two soft notes, made here: there is no file to fetch. `volume` up to 100. */
export async function chime(volume) {
  context ??= new AudioContext();
  if (context.state !== "running") await Promise.race([context.resume(), new Promise((late) => setTimeout(late, 300))]);
  if (context.state !== "running") return false; // nobody has clicked on this page yet
  const now = context.currentTime;
  for (const [at, pitch] of [[0, 660], [0.18, 880]]) {
    const [tone, gain] = [context.createOscillator(), context.createGain()];
    tone.frequency.value = pitch;
    gain.gain.setValueAtTime(0, now + at);
    gain.gain.linearRampToValueAtTime((volume / 100) * 0.35, now + at + 0.02);
    gain.gain.exponentialRampToValueAtTime(0.0001, now + at + 0.6);
    tone.connect(gain).connect(context.destination);
    tone.start(now + at);
    tone.stop(now + at + 0.65);
  }
  return true;
}
