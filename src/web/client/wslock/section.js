// One section: what the application calls and reads.

import { checkRevision } from "./drafts.js";
import { Emitter } from "./emitter.js";
import { WslockError, callback, flag, oneOf, optionalText, requestOptions, string, text } from "./error.js";
import { SECTION_EVENTS } from "./events.js";
import { Membership } from "./membership.js";

const MAX_TEXT = 500;
const MAX_REVISION = 128;

export class Section {
  #core;
  #member; // everything that the server has to say of it
  #emitter;

  // Made by client.section().
  constructor(client, core, id) {
    this.id = id;
    this.client = client;
    this.#core = core;
    this.#emitter = new Emitter([...SECTION_EVENTS, "state", "granted", "lost", "change"], core.problem);
    this.#member = new Membership(core, id, this, this.#emitter);
  }

  get state() { return this.#member.holding.state; }
  get mayEdit() { return this.state !== "reading"; }
  get resuming() { return this.fence !== null && !this.mayEdit; }
  get joined() { return this.#member.joined; }
  get lock() { return this.#member.room.lock; }
  get users() { return [...this.#member.room.users.values()]; }
  get viewers() { return this.#member.room.viewers; }
  get policy() { return this.#member.room.policy; }
  get position() { return this.#member.room.queue?.position ?? null; }
  get estimatedWait() { return this.#member.room.queue?.estimatedWait ?? null; }
  get turn() { return this.#member.room.turnUntil !== null; }
  get claimable() { return this.#member.room.claimUntil !== null; }
  get fence() { return this.#member.holding.fence; }
  get ticket() { return this.#member.holding.ticket; }
  get previous() { return this.#member.lastGrant?.previous ?? null; }
  get lastLoss() { return this.#member.lastLoss; }
  get requests() { return [...this.#member.room.requests.values()].map((open) => this.#withTime(open)); }
  get asked() { return this.#withTime(this.#member.room.asked); }
  get takeover() { return this.#withTime(this.#member.room.takeover); }
  get takingOver() { return this.#withTime(this.#member.room.takingOver); }
  get dirty() { return this.#member.holding.dirty; }
  set dirty(value) {
    this.#setDirty(flag("dirty", value ?? undefined) ?? null);
  }

  countdown() {
    const { room, holding } = this.#member;
    return this.#core.clock.left(this.state === "unconfirmed" ? holding.belief.until : room.turnUntil ?? room.endsAt);
  }

  // ---- the room ----

  async view(options) {
    const given = requestOptions(options);
    await this.#core.limit(given, "view()", (wait) => this.#member.join(wait));
  }

  async leave(options) {
    const given = requestOptions(options);
    if (!this.joined) this.#member.end();
    else await this.#ask("resource:leave", {}, given);
  }

  async status(options) {
    const given = requestOptions(options);
    return (await this.#about("lock:status", { resourceId: this.id }, given)).data;
  }

  // ---- the lock ----

  async edit(options) {
    const { takeOwn, ...given } = requestOptions(options, "takeOwn");
    flag("takeOwn", takeOwn);
    this.#core.touch();
    const run = takeOwn
      ? (wait) => this.#member.request("lock:acquire", { takeOwn }, wait)
      : (wait) => this.#member.joinAsEditor(wait);
    return this.#outcome(await this.#core.limit(given, "edit()", run));
  }

  async renew(options) {
    return this.#outcome(await this.#core.limit(requestOptions(options), "renew()", (wait) => this.#member.renew(wait)));
  }

  async claim(options) {
    const given = requestOptions(options);
    this.#core.touch();
    return this.#outcome(await this.#ask("lock:claim", {}, given));
  }

  async release(options) {
    const { revision, ...given } = requestOptions(options, "revision");
    const data = revisionOf(revision);
    const held = this.fence !== null;
    if (!this.#core.connection.connected) this.#member.letGo(); // else the next join would take it up again
    try {
      await this.#ask("lock:release", data, given);
    } catch (error) {
      if (!held || error.code !== "NOT_HOLDER") throw error;
    }
  }

  async leaveQueue(options) {
    await this.#ask("lock:queue_leave", {}, requestOptions(options));
  }

  // ---- requests and takeovers ----

  async request(message, options) {
    const given = requestOptions(options);
    const said = optionalText("message", message, MAX_TEXT);
    const { data } = await this.#ask("lock:request", { message: said }, given);
    return this.asked ?? this.#withTime({ ...data, until: null }); // it may be this tab's turn already
  }

  async cancelRequest(options) {
    await this.#aboutOpen("lock:request_cancel", this.asked, requestOptions(options));
  }

  async answerRequest(requestId, action, options) {
    await this.#answer("lock:request_reply", requestId, oneOf("action", action, ["APPROVE", "DENY", "IGNORE"]), options);
  }

  async takeOver(reason, options) {
    const { urgent, ...given } = requestOptions(options, "urgent");
    text("reason", reason, 1, MAX_TEXT);
    flag("urgent", urgent);
    return this.#outcome(await this.#ask("lock:takeover", { reason, urgent }, given));
  }

  async cancelTakeover(options) {
    await this.#aboutOpen("lock:takeover_cancel", this.takingOver, requestOptions(options));
  }

  async answerTakeover(requestId, action, options) {
    await this.#answer("lock:takeover_reply", requestId, oneOf("action", action, ["APPROVE", "DENY"]), options);
  }

  // ---- saving ----

  onSave(handler) {
    const { saves } = this.#member;
    this.#member.use();
    saves.handler = callback("the save handler", handler);
    return () => {
      if (saves.handler === handler) saves.handler = null;
    };
  }

  keepDraft(draft, baseRevision) {
    string("text", draft);
    checkRevision(baseRevision);
    this.#core.touch();
    this.#setDirty(true);
    return this.#core.drafts.keep(this.id, draft, baseRevision);
  }

  saved(options) {
    const { revision, text: written } = Object(options);
    checkRevision(revision);
    string("text", written);
    const { drafts } = this.#core;
    const draft = drafts.current(this.id);
    if (draft && draft.text !== written) drafts.keep(this.id, draft.text, revision);
    else {
      drafts.end(this.id);
      this.#setDirty(false);
    }
  }

  drafts() {
    return this.#core.user ? this.#core.drafts.list(this.id) : [];
  }

  on(event, listener) {
    this.#member.use();
    return this.#emitter.on(event, listener);
  }

  off(event, listener) { this.#emitter.off(event, listener); }

  // ---- inside ----

  #setDirty(dirty) {
    this.#member.holding.dirty = dirty;
    this.#core.check();
  }

  #withTime(open) {
    if (!open) return null;
    const { until, ...rest } = open;
    return { ...rest, remainingMs: () => this.#core.clock.left(until) };
  }

  #ask(event, data, given) {
    return this.#core.limit(given, event, (wait) => this.#member.request(event, data, wait));
  }

  async #answer(event, requestId, action, options) {
    const { revision, ...given } = requestOptions(options, "revision");
    await this.#about(event, { requestId: text("requestId", requestId, 1, 64), action, ...revisionOf(revision) }, given);
  }

  async #aboutOpen(event, open, given) {
    if (!open) throw new WslockError("NO_REQUEST", `${event}: nothing is open`);
    await this.#about(event, { requestId: open.requestId }, given);
  }

  // Needs no join.
  #about(event, data, given) {
    return this.#core.limit(given, event, (wait) => this.#member.requestAbout(event, data, wait));
  }

  #outcome({ event, data }) {
    if (data.reason) throw new WslockError(data.reason, `${event}: ${data.reason}`, data); // lock:denied and lock:lost
    if (data.token) return this.#member.lastGrant; // lock:acquired and lock:renewed
    return { outcome: event === "lock:queued" ? "queued" : "pending", ...data };
  }
}

function revisionOf(revision) {
  return { revision: optionalText("revision", revision, MAX_REVISION) };
}
