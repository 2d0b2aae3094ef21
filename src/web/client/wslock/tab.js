// The name of this tab, clientId. Browsers copy sessionStorage when a tab is duplicated: of two live pages with one name, the one
// that came later takes a new name before it joins anything. Web Locks tell, else BroadcastChannel.

import { randomId } from "./platform.js";

const WAIT_MS = 300; // for a page that is being unloaded to let go, or for another to speak up
const CLIENT_ID = /^[A-Za-z0-9_-]{8,64}$/;

export class Tab {
  #core;
  #held = null; // a promise of {id, free}
  id = null;

  constructor(core) {
    this.#core = core;
  }

  // Resolves with the name, which is this page's alone from then on until release().
  async hold() {
    return (await (this.#held ??= this.#take())).id;
  }

  // The page goes, or is put aside: whoever comes back under this name is no copy.
  release() {
    this.#held?.then(({ free }) => free());
    this.#held = null;
  }

  async #take() {
    const { key, platform, session } = this.#core;
    const stored = `${key}:client`;
    let id = this.id ?? session.get(stored);
    let free = CLIENT_ID.test(id ?? "") && await this.#claim(id);
    if (!free) {
      id = randomId(platform);
      free = await this.#claim(id) ?? (() => {});
    }
    this.id = id;
    session.set(stored, id);
    return { id, free };
  }

  // A function that lets go, or null: another page has the name.
  #claim(id) {
    const name = `wslock:tab:${id}`;
    if (this.#core.platform.navigator?.locks) return this.#claimLock(name);
    if (this.#core.platform.BroadcastChannel) return this.#claimChannel(name);
    return Promise.resolve(() => {});
  }

  #claimLock(name) {
    return new Promise((resolve) => {
      const wait = new AbortController();
      const timer = this.#core.platform.setTimeout(() => wait.abort(), WAIT_MS);
      this.#core.platform.navigator.locks.request(name, { signal: wait.signal }, () => {
        this.#core.platform.clearTimeout(timer);
        return new Promise((end) => resolve(end));
      }).catch((error) => resolve(error?.name === "AbortError" ? null : () => {}));
    });
  }

  // Each page answers for the name that it has. Of two that ask at once the one with the lower pageId keeps it.
  #claimChannel(name) {
    return new Promise((resolve) => {
      const channel = new this.#core.platform.BroadcastChannel(name);
      const pageId = this.#core.pageId;
      let mine = false;
      const done = (taken) => {
        this.#core.platform.clearTimeout(timer);
        if (taken) channel.close();
        mine = !taken;
        resolve(taken ? null : () => channel.close());
      };
      const timer = this.#core.platform.setTimeout(() => done(false), WAIT_MS);
      channel.onmessage = ({ data }) => {
        if (data?.pageId === pageId) return;
        if (data?.taken && !mine) done(true);
        else if (data?.asked && (mine || pageId < data.pageId)) channel.postMessage({ pageId, taken: true });
      };
      channel.unref?.();
      channel.postMessage({ pageId, asked: true });
    });
  }
}
