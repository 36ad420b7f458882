// The service worker: shows what web push brings, and says so when the server cannot be reached. It keeps no pages:
// in an emergency a stale page is worse than none.
declare const self: ServiceWorkerGlobalScope;

interface Push {
  title: string;
  body?: string;
  url?: string;
  tag?: string;
  exercise?: boolean;
}

const OFFLINE = "offline-1";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(OFFLINE).then((cache) => cache.add("/offline/")).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  if (event.request.mode !== "navigate") return;
  event.respondWith(fetch(event.request).catch(async () => (await caches.match("/offline/")) ?? Response.error()));
});

self.addEventListener("push", (event) => {
  let message: Push = { title: "Haitang" };
  try {
    message = event.data?.json() as Push;
  } catch {
    message.body = event.data?.text() ?? "";
  }
  event.waitUntil(
    self.registration.showNotification(message.title, {
      body: message.body ?? "", tag: message.tag ?? "", data: { url: message.url ?? "/m/" }, icon: "/static/icon-192.png",
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { url } = event.notification.data as { url: string };
  event.waitUntil(
    self.clients.matchAll({ type: "window" }).then((windows) => {
      const open = windows.find((each) => new URL(each.url).pathname === new URL(url, self.location.origin).pathname);
      return open ? open.focus() : self.clients.openWindow(url);
    }),
  );
});

export {};
