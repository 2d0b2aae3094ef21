// The application's save handler: told why and until when, once for each occasion (cause and requestId).

const UNLOAD_MS = 1000;

export class Saves {
  #core;
  #open = new Map(); // occasion → AbortController
  #unloadedAt = -Infinity;
  handler = null;

  constructor(core) {
    this.#core = core;
  }

  // until: by the core's clock. lock: {fence, ticket}.
  ask(cause, until, lock, requestId = null) {
    const occasion = cause + (requestId ?? "");
    if (!this.handler || this.#open.has(occasion)) return;
    const { clock, platform } = this.#core;
    const end = new AbortController();
    const remainingMs = () => clock.left(until);
    const timer = platform.setTimeout(() => this.#end(occasion), remainingMs());
    this.#open.set(occasion, { end, timer });
    const request = { cause, requestId, ...lock, remainingMs, deadline: platform.Date.now() + remainingMs(), signal: end.signal };
    new Promise((resolve) => { resolve(this.handler(request)); }).catch(this.#core.problem);
  }

  // beforeunload, pagehide and freeze come one behind the other: once is enough, unless something was typed between.
  unload(lock) {
    const { clock, lastTouch } = this.#core;
    if (this.#unloadedAt > lastTouch && clock.now() - this.#unloadedAt < UNLOAD_MS) return;
    this.#unloadedAt = clock.now();
    this.#end("unload");
    this.ask("unload", clock.now() + UNLOAD_MS, lock);
  }

  // The occasion may come again. What is being saved is not stopped.
  over(occasion) {
    this.#core.platform.clearTimeout(this.#open.get(occasion)?.timer);
    this.#open.delete(occasion);
  }

  endAll() {
    for (const occasion of [...this.#open.keys()]) this.#end(occasion);
  }

  #end(occasion) {
    const open = this.#open.get(occasion);
    this.over(occasion);
    open?.end.abort();
  }
}
