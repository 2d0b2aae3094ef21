// The name of this tab, clientId. Browsers copy sessionStorage when a tab is duplicated: of two live pages with one name, the one
// that came later takes a new name before it joins anything. Web Locks tell, else BroadcastChannel.

import { randomId } from "./platform.js";

const AGAIN_MS = 50;
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

  // A function that lets go, or null: another page has the name. May be a promise of it.
  #claim(id) {
    const name = `wslock:tab:${id}`;
    if (this.#core.platform.navigator?.locks) return this.#claimLock(name);
    if (this.#core.platform.BroadcastChannel) return this.#claimChannel(name);
    return () => {};
  }

  // Asked for a while, since a page that is being unloaded lets go late. Only an answer says that the name is taken, never silence.
  async #claimLock(name) {
    for (let waited = 0; ; waited += AGAIN_MS) {
      const free = await this.#tryLock(name);
      if (free || waited >= WAIT_MS) return free;
      await new Promise((resolve) => this.#core.platform.setTimeout(resolve, AGAIN_MS));
    }
  }

  #tryLock(name) {
    return new Promise((resolve) => {
      this.#core.platform.navigator.locks.request(name, { ifAvailable: true }, (lock) => lock && new Promise(resolve))
        .then(() => resolve(null), () => resolve(() => {}));
    });
  }

  // Each page answers for the name that it has. Of two that ask at once the one with the lower pageId keeps it.
  #claimChannel(name) {
    return new Promise((resolve) => {
      const { platform, pageId } = this.#core;
      const channel = new platform.BroadcastChannel(name);
      let mine = false;
      const timer = platform.setTimeout(() => {
        mine = true;
        resolve(() => channel.close());
      }, WAIT_MS);
      channel.onmessage = ({ data }) => {
        if (!data.taken) {
          if (mine || pageId < data.pageId) channel.postMessage({ taken: true });
        } else if (!mine) {
          platform.clearTimeout(timer);
          channel.close();
          resolve(null);
        }
      };
      channel.unref?.();
      channel.postMessage({ pageId });
    });
  }
}
