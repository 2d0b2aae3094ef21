// Stands for the application's own store, and is kept in this browser: the daemon has no text, it says who may write. It remembers the
// highest fencing token that it has seen, of who saves and of who begins to edit, and refuses to be written with a lower one.

export class SharedDocument extends EventTarget {
  constructor(resourceId, text) {
    super();
    this.key = `wslock-demo:document:${resourceId}`;
    this.empty = { text, fence: 0, revision: "r1", by: null };
    this.ended = new AbortController();
    window.addEventListener("storage", (event) => {
      if (event.key === this.key || event.key === null) this.#changed();
    }, { signal: this.ended.signal });
  }

  // Nobody edits it here any more.
  end() {
    this.ended.abort();
  }

  // {text, fence, revision, by}
  load() {
    try {
      return { ...this.empty, ...JSON.parse(localStorage.getItem(this.key) ?? "{}") };
    } catch {
      return this.empty;
    }
  }

  // Before its editor loads the text: whoever has an older lock, and saves late, is refused from now on.
  register(fence) {
    const now = this.load();
    if (fence > now.fence) this.#write({ ...now, fence });
  }

  // {revision}, or {problem: STALE_FENCE or STORAGE}: then nothing has changed.
  save({ text, fence, by }) {
    const now = this.load();
    if (!fence || fence < now.fence) return { problem: "STALE_FENCE" };
    const revision = `r${Number(now.revision.slice(1)) + 1}`;
    if (!this.#write({ text, fence, revision, by })) return { problem: "STORAGE" };
    this.#changed();
    return { revision };
  }

  #write(next) {
    try {
      localStorage.setItem(this.key, JSON.stringify(next));
      return true;
    } catch {
      return false; // no room
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
