// What the library takes from its surroundings. A browser has all of it; the option `platform` replaces single parts.

export function makePlatform(given) {
  return new Proxy(given, {
    get: (_, name) => {
      if (name in given) return given[name];
      const found = name === "random" ? Math.random : globalThis[name];
      return /Timeout$/.test(name) ? found.bind(globalThis) : found; // browsers insist on it
    },
  });
}

// 128 random bits in the alphabet of clientId and pageId. randomUUID() needs a secure context, this does not.
export function randomId(platform) {
  const bytes = platform.crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
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
