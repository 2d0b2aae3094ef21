// Text that was typed and not saved, with the revision that it was written on. By user, so that nobody else in this browser sees it
// offered. Nothing here writes into the application's text.

import { WslockError, string, text as checkText } from "./error.js";

export class Drafts {
  #core;
  #storage;
  #left = 0; // how many drafts have ended with their lock

  constructor(core, storage) {
    this.#core = core;
    this.#storage = storage;
  }

  #all(id) {
    const { key, user } = this.#core;
    if (!user) throw new WslockError("NO_USER", "connect first");
    return `${key}:draft:${encodeURIComponent(user.userId)}:${id}:`;
  }

  #own(id) { return this.#all(id) + this.#core.pageId; }

  // The lock is gone: what was being written is offered from now on, and not written over.
  leave(id) {
    const own = this.#own(id);
    const draft = this.#storage.get(own);
    this.#storage.set(own, null); // first: the storage may be full
    if (draft !== null) this.#storage.set(`${own}.${this.#left++}`, draft);
  }

  keep(id, text, baseRevision) {
    const { platform, tab } = this.#core;
    const draft = { text, baseRevision, writtenAt: platform.Date.now(), clientId: tab.id };
    return this.#storage.set(this.#own(id), JSON.stringify(draft));
  }

  // What this page is writing: {text, baseRevision, …} or null.
  current(id) { return this.#read(this.#own(id)); }

  end(id) { this.#storage.set(this.#own(id), null); }

  list(id) {
    const drafts = [];
    for (const key of this.#storage.keys(this.#all(id))) {
      const found = key === this.#own(id) ? null : this.#read(key);
      if (found) drafts.push(this.#make(key, found));
    }
    return drafts.sort((a, b) => b.writtenAt - a.writtenAt);
  }

  #make(key, draft) {
    return Object.freeze({
      ...draft, id: key, own: draft.clientId === this.#core.tab.id,
      compare: (current) => compare(draft, current),
      discard: () => { this.#storage.set(key, null); },
    });
  }

  #read(key) {
    try {
      const draft = JSON.parse(this.#storage.get(key));
      return typeof draft?.text === "string" && typeof draft.baseRevision === "string" ? draft : null;
    } catch {
      return null; // another program's, or half of one
    }
  }
}

export function checkRevision(value) {
  return checkText("revision", value, 1, 128);
}

function compare(draft, current) {
  const { revision, text } = Object(current);
  checkRevision(revision);
  string("text", text);
  if (text === draft.text) return { outcome: "identical", text };
  if (revision === draft.baseRevision) return { outcome: "same-base", text: draft.text, revision };
  return { outcome: "conflict", draft, current: { text, revision } };
}
