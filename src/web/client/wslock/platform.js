// What the library takes from its surroundings. A browser has all of it; the option `platform` replaces single parts.

export const LONGEST_MS = 2 ** 31 - 1; // of a timer

export function makePlatform(given) {
  return new Proxy(given, {
    get: (_, name) => {
      const found = name in given ? given[name] : name === "random" ? Math.random : globalThis[name];
      // Browsers insist on `this`, and run a timer with a longer time at once.
      return /Timeout$/.test(name) ? (what, ms) => found.call(globalThis, what, Math.min(ms, LONGEST_MS)) : found;
    },
  });
}

// 128 random bits in the alphabet of clientId and pageId. randomUUID() needs a secure context, this does not.
export function randomId(platform) {
  return platform.crypto.getRandomValues(new Uint32Array(4)).join("-");
}

// A Storage that may be missing, full or forbidden: what it does not take stays in memory.
export class SafeStorage {
  #storage;
  #memory = new Map();

  // given: undefined: the browser's of that name, if it lets itself be used; null: none.
  constructor(given, name) {
    this.#storage = given === undefined ? this.#try(() => globalThis[name]) : given;
  }

  get(key) {
    return this.#memory.get(key) ?? this.#try(() => this.#storage.getItem(key)) ?? null;
  }

  // False: only in memory, and what is stored may be older. value null: removed.
  set(key, value) {
    this.#memory.delete(key);
    const stored = this.#try(() => (value === null ? this.#storage.removeItem(key) : this.#storage.setItem(key, value)) ?? true);
    if (!stored && value !== null) this.#memory.set(key, value);
    return stored === true;
  }

  keys(prefix) {
    const stored = this.#try(() => Array.from({ length: this.#storage.length }, (_, i) => this.#storage.key(i))) ?? [];
    return [...new Set([...stored, ...this.#memory.keys()])].filter((key) => key?.startsWith(prefix));
  }

  #try(use) {
    try {
      return use();
    } catch {
      return undefined;
    }
  }
}
