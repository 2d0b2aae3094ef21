// Text that was typed and not saved, with the revision that it was written on. By user, so that nobody else in this browser sees it
// offered. Nothing here writes into the application's text.

import { fail, string, text as checkText } from "./error.js";

export class Drafts {
  #storage;
  #platform;
  #prefix;
  #pageId;
  #left = 0; // how many drafts have ended with their lock

  constructor({ platform, key, pageId }, storage) {
    this.#storage = storage;
    this.#platform = platform;
    this.#prefix = `${key}:draft`;
    this.#pageId = pageId;
  }

  #all(userId, resourceId) { return `${this.#prefix}:${encodeURIComponent(userId)}:${resourceId}:`; }
  #own(userId, resourceId) { return this.#all(userId, resourceId) + this.#pageId; }

  // The lock is gone: what was being written is offered from now on, and not written over.
  leave(userId, resourceId) {
    const own = this.#own(userId, resourceId);
    const draft = this.#storage.get(own);
    if (draft === null) return;
    this.#storage.set(own, null); // first: the storage may be full
    this.#storage.set(`${own}.${this.#left++}`, draft);
  }

  keep(userId, resourceId, clientId, text, baseRevision) {
    const draft = { text, baseRevision, writtenAt: this.#platform.Date.now(), clientId };
    return this.#storage.set(this.#own(userId, resourceId), JSON.stringify(draft));
  }

  // What this page is writing: {text, baseRevision, …} or null.
  current(userId, resourceId) { return this.#read(this.#own(userId, resourceId)); }

  end(userId, resourceId) { this.#storage.set(this.#own(userId, resourceId), null); }

  list(userId, resourceId, clientId) {
    const drafts = [];
    for (const key of this.#storage.keys(this.#all(userId, resourceId))) {
      const found = key === this.#own(userId, resourceId) ? null : this.#read(key);
      if (found) drafts.push(this.#make(key, found, clientId));
    }
    return drafts.sort((a, b) => b.writtenAt - a.writtenAt);
  }

  #make(key, draft, clientId) {
    return Object.freeze({
      ...draft, id: key, own: draft.clientId === clientId,
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
  if (current === null || typeof current !== "object") fail("compare() takes {revision, text}");
  checkRevision(current.revision);
  string("text", current.text);
  const { revision, text } = current;
  if (text === draft.text) return { outcome: "identical", text };
  if (revision === draft.baseRevision) return { outcome: "same-base", text: draft.text, revision };
  return { outcome: "conflict", draft, current: { text, revision } };
}
