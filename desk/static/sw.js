// What makes the desk an application that can be installed: a calm page when there is no connection, and the way back
// from a notification. Nothing that the desk shows is ever kept here. Customers' data in a browser's cache would outlive
// the session and the role that it was shown to, and on a shared computer the person; and a card of yesterday is worse
// than none. So only the page and the files below are kept, which tell of nobody. It is another worker for each
// language, so who changes theirs has the calm page in it too.

const LANGUAGE = new URL(location).searchParams.get("language") ?? "";
const KEPT = `ringcard-offline-2-${LANGUAGE}`;
const PAGE = `/offline?language=${encodeURIComponent(LANGUAGE)}`;
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
