// A document of the demo, kept in this browser. Stands for an application's store: it remembers the highest
// fencing token that it has seen, of who saves and of who begins to edit, and refuses to be written with a lower
// one. Beside it lie drafts: what each person has typed and not saved, so that nothing of it is lost with the lock,
// the tab or the browser.

const PREFIX = "wslock-demo";

export class SharedDocument extends EventTarget {
  constructor(resourceId, text) {
    super();
    this.key = `${PREFIX}:document:${resourceId}`;
    this.drafts = `${PREFIX}:draft:${resourceId}`;
    this.unstored = new Map();
    this.empty = { text, fence: 0, revision: "r1" };
    window.addEventListener("storage", (event) => {
      if (event.key === this.key || event.key?.startsWith(this.drafts)) this.#changed();
    });
  }

  load() {
    try {
      return { ...this.empty, ...JSON.parse(localStorage.getItem(this.key) ?? "{}") };
    } catch {
      return this.empty;
    }
  }

  // Before its editor looks at the text: whoever has an older lock, and saves late, is refused from now on.
  register(fence) {
    const now = this.load();
    if (!fence || fence <= now.fence) return;
    try {
      localStorage.setItem(this.key, JSON.stringify({ ...now, fence }));
    } catch {
      // the storage is full: what is saved will say so
    }
  }

  // Null, or why it was not saved.
  save(text, fence) {
    const now = this.load();
    if (!fence || fence < now.fence) return "somebody with a newer lock has written since";
    const revision = `r${Number(now.revision.slice(1)) + 1}`;
    try {
      localStorage.setItem(this.key, JSON.stringify({ text, fence, revision }));
    } catch {
      return "this browser's storage is full";
    }
    this.#changed();
    return null;
  }

  // What this user has typed and not saved, in whatever tab: id to text.
  draftsOf(userId) {
    const prefix = `${this.drafts}:${userId}:`;
    const found = new Map(this.unstored);
    for (let i = 0; i < localStorage.length; i++) {
      const key = localStorage.key(i);
      if (key.startsWith(prefix)) found.set(key, localStorage.getItem(key));
    }
    return new Map([...found].filter(([key]) => key.startsWith(prefix)).sort());
  }

  newDraft(userId) {
    return `${this.drafts}:${userId}:${Date.now()}-${crypto.randomUUID().slice(0, 8)}`;
  }

  // False: only this page has it, for the storage is full.
  keepDraft(draft, text) {
    let stored = true;
    this.unstored.delete(draft);
    try {
      if (text === null) localStorage.removeItem(draft);
      else localStorage.setItem(draft, text);
    } catch {
      localStorage.removeItem(draft); // an earlier text of it
      this.unstored.set(draft, text);
      stored = false;
    }
    this.#changed();
    return stored;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
