// A document of the demo, kept in this browser. Stands for an application's store: it remembers the highest
// fencing token that it has seen, and refuses to be written with a lower one. Beside it lies what each
// person has typed and not saved, so that nothing of it is lost with the lock, the tab or the browser.

const PREFIX = "wslock-demo";

export class SharedDocument extends EventTarget {
  constructor(resourceId, text) {
    super();
    this.key = `${PREFIX}:document:${resourceId}`;
    this.drafts = `${PREFIX}:draft:${resourceId}`;
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

  save(text, fence) {
    const now = this.load();
    if (!fence || fence < now.fence) return false;
    const revision = `r${Number(now.revision.slice(1)) + 1}`;
    localStorage.setItem(this.key, JSON.stringify({ text, fence, revision }));
    this.#changed();
    return true;
  }

  draft(userId) {
    return localStorage.getItem(`${this.drafts}:${userId}`);
  }

  keepDraft(userId, text) {
    if (text === null) localStorage.removeItem(`${this.drafts}:${userId}`);
    else localStorage.setItem(`${this.drafts}:${userId}`, text);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
