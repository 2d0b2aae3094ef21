// Access tokens: asked of the application, within a time limit, and again before the one in use ends.

import { WslockError } from "./error.js";
import { backoff } from "./backoff.js";

const LIMIT_MS = 10_000;

export class Tokens {
  #core;
  #refreshing = null;
  rejected = false; // the server has refused the last one

  constructor(core) {
    this.#core = core;
  }

  async get(reason) {
    const end = new AbortController();
    try {
      const given = { reason: this.rejected ? "rejected" : reason, signal: end.signal };
      const token = await this.#core.limit({ timeoutMs: LIMIT_MS }, "getToken()", async () => this.#core.options.getToken(given));
      if (typeof token !== "string" || token === "") throw new TypeError("no string");
      this.rejected = false;
      return token;
    } catch (error) {
      end.abort();
      throw Object.assign(new WslockError("TOKEN_UNAVAILABLE", `getToken failed: ${error?.message ?? error}`), { cause: error });
    }
  }

  // Until a newer token is accepted or the connection ends; then 4401, and a new try. send(token): the reply's data.
  async refresh(expiresAt, send) {
    const run = this.#refreshing = {};
    for (let attempt = 0; run === this.#refreshing; attempt++) {
      try {
        const token = await this.get("expiring");
        if (run !== this.#refreshing) return;
        if ((await send(token)).tokenExpiresAt > expiresAt) break;
        throw new WslockError("TOKEN_UNAVAILABLE", "no newer token");
      } catch (error) {
        if (run !== this.#refreshing) return;
        if (/^TOKEN_(EXPIRED|INVALID)$/.test(error.code)) this.rejected = true;
        this.#core.problem(error);
        await new Promise((resolve) => this.#core.later(500 + backoff(this.#core.platform, attempt), resolve));
      }
    }
  }

  stop() {
    this.#refreshing = null;
  }
}
