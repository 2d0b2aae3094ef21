// The client: one connection, many sections.

import { Core } from "./core.js";
import { callback, duration, fail, oneOf, options as checkOptions, requestOptions, resourceId, text } from "./error.js";
import { Section } from "./section.js";

const OPTIONS = ["url", "getToken", "storage", "storageKey", "activity", "idleAfterMs", "timeoutMs", "presence", "platform"];

export class WslockClient {
  #core;
  #sections = new Map(); // id → WeakRef: the core has those that are in use
  #unused = new FinalizationRegistry((id) => this.#sections.get(id)?.deref() ?? this.#sections.delete(id));

  constructor(options) {
    this.#core = new Core(checked(options));
  }

  get state() { return this.#core.connection.state; }
  get user() { return this.#core.user; }
  get clientId() { return this.#core.tab.id; }
  get pageId() { return this.#core.pageId; }
  get degraded() { return this.#core.degraded; }

  section(id) {
    const whole = resourceId(id);
    const known = this.#sections.get(whole)?.deref();
    if (known) return known;
    const section = new Section(this, this.#core, whole);
    this.#sections.set(whole, new WeakRef(section));
    this.#unused.register(section, whole);
    return section;
  }

  async connect(options) {
    const given = requestOptions(options);
    this.#core.connect();
    await this.#core.limit(given, "connect()", () => this.#core.ready());
  }

  async close() { this.#core.close(); }
  disconnect() { this.#core.connection.stop(); }
  touch() { this.#core.touch(); }
  check() { this.#core.check(); }

  serverTime() {
    const { clock, connection: { serverClock } } = this.#core;
    return serverClock && Math.round(serverClock.serverTime + (clock.now() - serverClock.at));
  }

  on(event, listener) { return this.#core.emitter.on(event, listener); }
  off(event, listener) { this.#core.emitter.off(event, listener); }
}

// All of them, with defaults; throws TypeError.
function checked(given) {
  const { url, storage, storageKey = "wslock", platform = {}, ...options } = checkOptions(given, OPTIONS);
  callback("getToken", options.getToken);
  if (storage !== null) checkOptions(storage, ["session", "local"]);
  if (Object(platform) !== platform) fail("platform must be an object");
  return {
    ...options, storage, platform,
    storageKey: text("storageKey", storageKey, 1, 64),
    url: address(url, platform.location ?? globalThis.location),
    activity: oneOf("activity", options.activity ?? "input", ["input", "manual", "always"]),
    presence: oneOf("presence", options.presence ?? "diff", ["diff", "none"]),
    idleAfterMs: duration("idleAfterMs", options.idleAfterMs, 60_000),
    timeoutMs: duration("timeoutMs", options.timeoutMs, 10_000),
  };
}

function address(given = "/ws", location) {
  let url;
  try {
    url = new URL(given, location?.href);
  } catch {
    fail(`not an address: ${given}`);
  }
  url.protocol = { "http:": "ws:", "https:": "wss:" }[url.protocol] ?? url.protocol;
  if (!/^wss?:$/.test(url.protocol)) fail(`not an address: ${given}`);
  if (url.search || url.username) fail("url must have no query or user");
  url.hash = "";
  return url.href;
}
