// What the browser tells of the page: seen, hidden, frozen, gone, online, used.

const INPUT = ["pointerdown", "keydown", "wheel", "touchstart", "input"];

// handlers: {wake(), online(), hide(), show(), leave(), touch()}. Returns the end of it.
export function watchPage(platform, handlers, countInput) {
  const ends = [];
  const listen = (target, event, listener) => {
    if (typeof target?.addEventListener !== "function") return;
    target.addEventListener(event, listener, { capture: true, passive: true });
    ends.push(() => target.removeEventListener(event, listener, { capture: true }));
  };
  const { document, window } = platform;
  const wake = () => document.visibilityState !== "hidden" && handlers.wake();
  listen(document, "visibilitychange", wake);
  listen(document, "resume", wake);
  listen(document, "freeze", () => handlers.leave());
  listen(window, "focus", wake);
  listen(window, "online", () => handlers.online());
  listen(window, "pageshow", (event) => event.persisted && handlers.show());
  listen(window, "pagehide", () => handlers.hide());
  listen(window, "beforeunload", () => handlers.leave());
  if (countInput) for (const event of INPUT) listen(document, event, () => handlers.touch());
  return () => {
    for (const end of ends) end();
  };
}
