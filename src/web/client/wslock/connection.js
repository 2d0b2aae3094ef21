// One WebSocket to wslockd: authentication, replies by id, the watch for silence, reconnecting.

import { backoff } from "./backoff.js";
import { WslockError, serverError } from "./error.js";
import { FINAL_CLOSES } from "./events.js";
import { settle } from "./limit.js";

const ANSWER_MS = 5000; // what has had no answer by then: the connection is gone
const SLOW = "lock:takeover"; // answered when the audit is on disk
const LATER_ATTEMPT = 4; // 4429: the first pause is up to 16 s
const STEADY_MS = 10_000; // a connection that has lived so long was no failed attempt
const redact = (text) => text.replace(/"(token|ticket)":\s*"[^"]*"/g, '"$1":"…"');

export class Connection {
  #core;
  #socket = null;
  #generation = 0;
  #nextId = 1;
  #sent = new Map(); // id → {at, event, …}, without an answer yet
  #attempt = 0;
  #connectedAt = null;
  #askedMs; // the pause that the server has asked for
  #retry;
  #retryAt = Infinity; // by a clock that goes on while the computer sleeps
  state = "idle";
  answered = null; // when the last message was sent that was answered on this connection
  lastSent = 0;
  serverClock = null; // {at, serverTime}

  // Calls of the core, beside its tokens and its tab: connectionChanged({state, …}); welcome(data); heard(at): a message that was sent then
  // was answered; message({event, data, entry}); lost(); check(): look at the clocks; maxPause: the attempt up to which pauses grow;
  // emit("frame", {…}); problem(error).
  constructor(core) {
    this.#core = core;
  }

  get connected() { return this.state === "connected"; }

  // Whether something was sent that should have been answered by now.
  get silent() { return this.silentAt <= this.#core.clock.now(); }

  get silentAt() {
    return ANSWER_MS + Math.min(...[...this.#sent.values()].map(({ at, event }) => (event === SLOW ? Infinity : at)));
  }

  // Once more at once, where it was waiting or had ended.
  start() {
    if (this.state === "connecting" || this.state === "connected") return;
    this.#attempt = 0;
    this.#open();
  }

  // A timer may be late.
  retryIfDue() {
    if (this.state === "waiting" && this.#retryAt <= this.#core.clock.now()) this.#open();
  }

  // As start(), but only for who is waiting, and not as long as the server has asked for; with `spread`, for many may have the same reason.
  hurry(spread) {
    if (this.state !== "waiting" || this.#askedMs >= 0) return;
    this.#attempt = 0;
    if (spread) this.#wait();
    else this.#open();
  }

  // code 1000: on purpose; undefined: as if the network had gone.
  stop(code) {
    const socket = this.#socket;
    this.state = "closed";
    this.#end();
    socket?.close(code);
    this.#set("closed", { code: code ?? 1005, reason: "" });
  }

  // What the network swallows without a word is noticed here, minutes before TCP does.
  drop(reason) {
    const socket = this.#socket;
    this.#closed(socket, { code: 1006, reason });
    socket.close();
  }

  // entry: {section, resolve, reject, …}. Returns the message's id; the caller has seen to it that there is a connection.
  send(event, data, entry = {}) {
    const id = this.#nextId++;
    this.lastSent = this.#core.clock.now();
    this.#sent.set(id, { ...entry, at: this.lastSent, event });
    const text = JSON.stringify({ event, id, data });
    this.#socket.send(text);
    this.#frame("out", text);
    return id;
  }

  // The reply {event, data}. Rejects with WslockError: the server's error, or CONNECTION_LOST. context: of the section.
  request(event, data, context) {
    return new Promise((resolve, reject) => this.send(event, data, { ...context, resolve, reject }));
  }

  #frame(direction, text) {
    this.#core.emit("frame", { direction, text: redact(text), at: this.#core.platform.Date.now() });
  }

  #set(state, more) {
    this.state = state;
    this.#core.connectionChanged({ state, ...more });
  }

  #end() {
    this.#generation++;
    this.#core.platform.clearTimeout(this.#retry);
    this.#socket = null; // of one that closes slowly nothing more is heard
    this.#connectedAt = null;
    const unanswered = this.#sent;
    this.#sent = new Map();
    this.#core.lost();
    settle(unanswered, ({ reject }) => reject?.(new WslockError("CONNECTION_LOST", "connection lost")));
  }

  async #open() {
    const generation = ++this.#generation;
    const isOld = () => generation !== this.#generation;
    this.#core.platform.clearTimeout(this.#retry);
    this.#askedMs = undefined;
    this.#set("connecting");
    const { pageId, tab, tokens } = this.#core;
    let token, clientId;
    try {
      [token, clientId] = await Promise.all([tokens.get("connect"), tab.hold()]);
    } catch (error) {
      if (isOld()) return;
      this.#core.problem(error);
      this.#wait();
      return;
    }
    if (isOld()) return;
    this.answered = null;
    this.#connect({ token, clientId, pageId });
  }

  #connect(auth) {
    let socket;
    try {
      socket = new this.#core.platform.WebSocket(this.#core.options.url, "wslock.v1");
    } catch (error) {
      this.#core.problem(error);
      this.#wait();
      return;
    }
    this.#socket = socket;
    this.#sent.set("open", { at: this.#core.clock.now(), event: "open" });
    this.#core.check();
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      this.#sent.delete("open");
      this.send("auth", auth);
      this.#core.check();
    };
    socket.onmessage = (message) => this.#receive(socket, message.data);
    socket.onclose = (event) => this.#closed(socket, event);
    socket.onerror = () => {}; // onclose follows
  }

  #receive(socket, text) {
    if (socket !== this.#socket) return;
    this.#core.check(); // late is late, whatever has come meanwhile
    if (socket !== this.#socket) return;
    this.#frame("in", String(text));
    try {
      this.#take(JSON.parse(text));
    } catch (error) {
      this.#core.problem(error); // not a message of the protocol
    }
    this.#core.check();
  }

  #heard(entry, data) {
    this.answered = Math.max(this.answered ?? entry.at, entry.at); // a slow reply may come behind later ones
    if (Number.isSafeInteger(data.serverTime) && entry.event !== SLOW) this.serverClock = { at: entry.at, serverTime: data.serverTime };
    this.#core.heard(this.answered);
  }

  #take({ event, id, data }) {
    if (typeof event !== "string" || Object(data) !== data) throw new TypeError("no message");
    const entry = this.#sent.get(id);
    this.#sent.delete(id);
    if (entry) this.#heard(entry, data);
    if (event === "welcome") {
      this.#connectedAt = this.#core.clock.now();
      this.state = "connected";
      this.#core.welcome(data);
      this.#set("connected");
    }
    if (event === "server:draining") this.#askedMs = data.reconnectInMs;
    this.#core.message({ event, data, entry });
    if (event === "error") entry?.reject?.(serverError(data));
    else entry?.resolve?.({ event, data });
  }

  #closed(socket, { code, reason }) {
    if (socket !== this.#socket || !socket) return;
    const isFinal = FINAL_CLOSES.has(code);
    this.state = isFinal ? "closed" : "waiting";
    if (this.#connectedAt !== null && this.#core.clock.now() - this.#connectedAt > STEADY_MS) this.#attempt = 0;
    const ended = this.#generation + 1;
    this.#end();
    if (code === 4401) this.#core.tokens.rejected = true;
    if (ended !== this.#generation) return; // a listener has called start()
    if (code === 4429) {
      this.#attempt = Math.max(this.#attempt, LATER_ATTEMPT);
      this.#askedMs ??= backoff(this.#core.platform, this.#attempt);
    }
    if (isFinal) this.#set("closed", { code, reason });
    else this.#wait({ code, reason });
  }

  #wait(more) {
    const ms = this.#askedMs ?? backoff(this.#core.platform, this.#attempt = Math.min(this.#attempt, this.#core.maxPause));
    this.#attempt++;
    this.#core.platform.clearTimeout(this.#retry);
    this.#retryAt = this.#core.clock.now() + ms;
    this.#retry = this.#core.platform.setTimeout(() => this.#open(), ms);
    this.#set("waiting", { ...more, retryInMs: Math.round(ms) });
  }
}
