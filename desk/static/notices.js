// A notification of the computer and a sound, when alerts.js says so. Both only where the browser was allowed to.

let context = null;

/** Shows and plays what is asked for; says which of both was done. */
export async function alerted({ id, title, body, notify, volume }) {
  const shown = Boolean(notify) && (await show(id, title, body).catch(() => false));
  const sounded = Boolean(volume) && (await chime(volume).catch(() => false));
  document.dispatchEvent(new CustomEvent("ringcard:alerted", { detail: { id, shown, sounded } }));
  return { id, shown, sounded };
}

/** The call is over here: nothing is left lying about. */
export async function hushed({ id }) {
  const worker = await navigator.serviceWorker?.getRegistration();
  for (const each of (await worker?.getNotifications({ tag: id })) ?? []) each.close();
}

async function show(id, title, body) {
  if (!("Notification" in window) || Notification.permission !== "granted") return false;
  const worker = await navigator.serviceWorker?.ready;
  if (!worker) return false;
  // One tag, one notification: even if two windows showed it, the second takes the place of the first.
  await worker.showNotification(title, { body, tag: id, icon: "/static/icons/icon-192.png", silent: true });
  return true;
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
