// What makes the desk an application that can be installed: a calm page when there is no connection, and the way back
// from a notification. Nothing that the desk shows is ever kept here. Customers' data in a browser's cache would outlive
// the session and the role that it was shown to, and on a shared computer the person; and a card of yesterday is worse
// than none. So only the three files below are kept, which tell of nobody.

const KEPT = "ringcard-offline-1";
const PAGE = "/static/offline.html";
const FILES = [PAGE, "/static/offline.css", "/static/offline.js", "/static/mark.svg"];

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(caches.open(KEPT).then((cache) => cache.addAll(FILES)));
});

addEventListener("activate", (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
    await clients.claim();
  };
  event.waitUntil(old());
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  const kept = FILES.includes(new URL(request.url).pathname) && !new URL(request.url).search;
  if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  else if (kept) event.respondWith(fetch(request).catch(() => caches.match(request)));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  const show = async () => {
    const [open] = await clients.matchAll({ type: "window" });
    return open ? open.focus() : clients.openWindow("/");
  };
  event.waitUntil(show());
});
