// What the browser tells of the page: seen, hidden, frozen, gone, online, used.

const INPUT = ["pointerdown", "keydown", "wheel", "touchstart", "input"];

// handlers: {wake(together), hide(), show(), leave(), touch()}. Returns the end of it.
export function watchPage(platform, handlers, countInput) {
  const end = new AbortController();
  const given = { capture: true, passive: true, signal: end.signal };
  const listen = (target, event, listener) => target?.addEventListener?.(event, listener, given);
  const { document, window } = platform;
  const wake = () => document.visibilityState !== "hidden" && handlers.wake(false);
  listen(document, "visibilitychange", wake);
  listen(document, "resume", wake);
  listen(document, "freeze", () => handlers.leave());
  listen(window, "focus", wake);
  listen(window, "online", () => handlers.wake(true));
  listen(window, "pageshow", (event) => event.persisted && handlers.show());
  listen(window, "pagehide", () => handlers.hide());
  listen(window, "beforeunload", () => handlers.leave());
  if (countInput) for (const event of INPUT) listen(document, event, () => handlers.touch());
  return () => end.abort();
}
