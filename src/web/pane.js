// One person's tab on the page: what the lock client says, in words and buttons.
import { now } from "./belief.js";
import { LockClient } from "./lock-client.js";
import { Flows } from "./flows.js";
import { Prompts, clockText } from "./prompts.js";

const FRAMES_KEPT = 60;
const LOST = {
  EXPIRED: "The lock ran out, because no heartbeat came in time.",
  MOVED: "You went on editing in another tab.",
  DISCONNECT: "The connection ended, and with it the lock.",
  GRACE_PERIOD_EXPIRED: "You were away longer than the grace period.",
  STORE_LOST: "The server could not confirm the lock in time.",
  STALE_TOKEN: "Somebody else has had the lock meanwhile.",
  NOT_HELD: "The lock is not yours any more.",
  CLAIMED: "You were cut off, and somebody else claimed the lock.",
  TRANSFERRED: "You have handed the lock over.",
  ADMIN_RELEASED: "An administrator has released the lock.",
  SESSION_TERMINATED: "An administrator has ended this session.",
};
const CLOSED = {
  4403: "An administrator has ended this session.",
  4409: "This tab was opened a second time, and its copy goes on. Reload to take it back.",
};
const DENIED = {
  HELD: "is editing",
  GRACE: "was cut off and may come back",
  RESERVED: "is about to edit",
};

export class Pane {
  constructor({ person, number, kind, shared, onTwin, onPolicy }) {
    const root = document.getElementById("pane-template").content.firstElementChild.cloneNode(true);
    Object.assign(this, { root, person, shared, onPolicy });
    this.key = `wslock-demo:${kind.type}:${person.id}:${number}`;
    this.$ = (selector) => root.querySelector(selector);
    this.$(".name").textContent = person.name;
    this.$(".tab").textContent = `${person.admin ? "administrator, " : ""}tab ${number}`;
    this.$(".text-label").textContent = kind.label;
    root.setAttribute("aria-label", `${person.name}, tab ${number}`);
    this.dirty = false;
    this.draft = null; // where what is typed is kept until it is saved
    this.typedHere = new Set();
    this.frames = 0;
    this.prompts = new Prompts(this.$(".prompts"));
    this.client = new LockClient({
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
      resourceId: kind.resourceId,
      clientId: this.#clientId(),
      fetchToken: () => fetchToken(person),
      store: {
        load: () => Number(sessionStorage.getItem(`${this.key}:token`)) || null,
        save: (token) => sessionStorage.setItem(`${this.key}:token`, token ?? ""),
      },
    });
    this.flows = new Flows({
      client: this.client, prompts: this.prompts, notice: (text) => this.#notice(text), saved: () => this.#saved(),
    });
    this.#wire(onTwin);
    this.ended = new AbortController();
    shared.addEventListener("change", () => this.#documentChanged(), { signal: this.ended.signal });
    this.#showDocument();
    this.#render();
    document.addEventListener("visibilitychange", () => this.client.check(), { signal: this.ended.signal });
    this.ticker = setInterval(() => this.#tick(), 250);
    this.client.connect();
  }

  // The tab is closed for good, as when its window is: on purpose.
  end() {
    clearInterval(this.ticker);
    clearInterval(this.beat);
    this.ended.abort();
    this.client.disconnect(1000);
    this.root.remove();
  }

  #clientId() {
    let id = sessionStorage.getItem(`${this.key}:client`);
    if (!id) {
      id = crypto.randomUUID().replaceAll("-", "");
      sessionStorage.setItem(`${this.key}:client`, id);
    }
    return id;
  }

  #wire(onTwin) {
    const { client } = this;
    const on = (selector, action) => this.$(selector).addEventListener("click", action);
    on(".edit", () => client.acquire());
    on(".move", () => client.acquire(true));
    on(".save", () => this.#save());
    on(".release", () => { const revision = this.#saved(); if (revision !== null) client.release(revision); });
    on(".offline", () => this.#toggleOffline());
    on(".reload", () => this.#reload());
    on(".close", () => this.#close());
    on(".twin", () => onTwin(this.person));
    this.#wireForm("request", () => client.request(this.$(".message").value));
    this.#wireForm("takeover", () => client.takeOver(this.$(".reason").value, this.$(".urgent").checked));
    this.$("textarea").addEventListener("beforeinput", (event) => {
      client.check();
      if (!client.editing) event.preventDefault();
    });
    this.$("textarea").addEventListener("input", () => this.#typed());
    client.addEventListener("frame", (e) => this.#frame(e.detail));
    client.addEventListener("change", (e) => this.#changed(e.detail));
  }

  // A button that opens a form, and the form.
  #wireForm(name, action) {
    const [button, form] = [this.$(`.${name}`), this.$(`.${name}-form`)];
    const open = (yes) => {
      form.hidden = !yes;
      button.setAttribute("aria-expanded", String(yes));
    };
    button.addEventListener("click", () => {
      open(form.hidden);
      if (!form.hidden) form.querySelector("input").focus();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      action();
      form.reset();
      open(false);
      this.$(".prompts").focus();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      open(false);
      button.focus();
    });
  }

  #toggleOffline() {
    this.offline = !this.offline;
    if (this.offline) this.client.disconnect();
    else this.client.connect();
    this.#render();
  }

  #reload() {
    this.client.disconnect();
    this.client.forget();
    this.offline = this.closed = false;
    this.#letGo();
    this.client.connect();
  }

  #close() {
    this.closed = !this.closed;
    this.offline = false;
    if (this.closed) this.client.disconnect(1000);
    else this.client.connect();
    this.#letGo();
    this.#render();
  }

  // ---- the text ----
  #typed() {
    const first = !this.dirty;
    this.dirty = true;
    this.draft ??= this.shared.newDraft(this.person.id);
    this.typedHere.add(this.draft);
    if (!this.shared.keepDraft(this.draft, this.$("textarea").value)) {
      this.#notice("This browser's storage is full: what you type is kept only while this page is open. Save often.");
    }
    if (first) this.client.heartbeat(true);
  }

  // As an application's save handler does it: a fencing token lower than the highest seen is refused.
  #save() {
    const problem = this.shared.save(this.$("textarea").value, this.client.token);
    if (problem) {
      this.#notice(`Not saved: ${problem}. Your text is still here.`);
      return false;
    }
    const { draft } = this;
    this.dirty = false;
    this.draft = null;
    this.shared.keepDraft(draft, null);
    this.client.heartbeat(false);
    return true;
  }

  // What was typed is a draft from now on, and the box shows the document.
  #letGo() {
    this.dirty = false;
    this.draft = null;
    this.#showDocument();
  }

  // Saves what is unsaved; the revision of what is saved then, or null.
  #saved() {
    return !this.dirty || this.#save() ? this.shared.load().revision : null;
  }

  #documentChanged() {
    this.#showDocument();
    this.#render();
  }

  #showDocument() {
    if (!this.dirty) this.$("textarea").value = this.shared.load().text;
  }

  // What was typed under locks that are gone: kept, shown, and put back if its user edits again.
  #offerDrafts() {
    const { client, shared } = this;
    const mine = client.editing;
    const drafts = shared.draftsOf(this.person.id);
    drafts.delete(this.draft);
    // Where this user edits in another tab, one of them is being typed there.
    const elsewhere = client.connected && !mine && client.lock.holder?.userId === this.person.id;
    for (const draft of drafts.keys()) if (elsewhere && !this.typedHere.has(draft)) drafts.delete(draft);
    this.prompts.keepOnly("draft:", drafts);
    for (const [draft, text] of drafts) {
      const discard = ["Discard it", () => shared.keepDraft(draft, null)];
      this.prompts.show(`draft:${draft}`, {
        title: "Unsaved text",
        text: mine ? "What you had typed and not saved:" : "What you had typed and not saved is kept. Edit again to put it back:",
        quote: text,
        actions: mine ? [["Put it back", () => this.#putBack(draft, text)], discard] : [discard],
      });
    }
  }

  // What is in the box meanwhile, and not saved, becomes a draft in its turn.
  #putBack(draft, text) {
    this.$("textarea").value = text;
    this.draft = draft;
    this.#typed();
    this.$("textarea").focus();
  }

  // ---- what the server says ----
  #changed({ event, data, reply }) {
    if (event === "lock:acquired") {
      if (reply || this.denied) this.#notice(""); // what a join has told of a loss stays
      this.shared.register(data.token);
      this.#showDocument();
      this.#scheduleHeartbeat(data.heartbeatIntervalMs);
      if (data.resumed && this.dirty) this.client.heartbeat(true);
    }
    if ((event === "lock:acquired" || event === "lock:renewed") && this.stopped) {
      this.stopped = false;
      this.#notice("");
    }
    if (event === "lock:expiring" && this.$(".alive").checked) this.client.heartbeat(this.dirty);
    if (event === "lock:denied" && reply) this.#denied(data);
    if (event === "lock:state" && this.denied && data.cause !== "RENEWED") this.#notice("");
    if (event === "system:degraded") this.#notice("The server has lost its store: nothing can be confirmed until it is back.");
    if (event === "system:recovered") this.#notice("");
    if (event === "stopped") {
      this.stopped = true;
      this.#notice("Nobody confirms the lock any more: you have stopped editing. What you typed is kept.");
    }
    if (event === "problem") this.#notice(data.message);
    if (event === "welcome") this.sentAway = undefined;
    if (event === "closed") this.sentAway = CLOSED[data.code];
    if (event === "closed" && this.sentAway) this.#notice(this.sentAway);
    if (event === "error") this.#notice(`${data.code}: ${data.message}`);
    if (event === "lock:lost") this.#lost(data);
    if (event === "resource:joined" && data.lost) this.#lost(data.lost);
    if (event === "resource:joined" && data.lock.mine) this.#scheduleHeartbeat(data.policy.heartbeatIntervalMs);
    if (event === "resource:policy" && this.client.token) this.#scheduleHeartbeat(data.policy.heartbeatIntervalMs);
    if (event === "resource:joined" || event === "resource:policy") this.onPolicy(data.policy);
    this.flows.handle(event, data, reply);
    this.#render();
  }

  #scheduleHeartbeat(interval) {
    clearInterval(this.beat);
    this.beat = setInterval(() => {
      if (this.client.editing && this.$(".alive").checked) this.client.heartbeat(this.dirty);
    }, interval);
  }

  #denied(data) {
    if (data.reason === "HELD_BY_YOU") this.#notice("You are editing this in another tab.");
    else this.#notice(`Not now: ${data.currentHolder ?? "the server"} ${DENIED[data.reason] ?? data.reason}.`);
    this.$(".move").hidden = data.reason !== "HELD_BY_YOU";
    this.denied = true;
  }

  #lost({ reason }) {
    const kept = this.dirty ? " What you had not saved is kept below." : "";
    this.stopped = false;
    this.#letGo();
    const told = reason === "TAKEN_BY_ADMIN" && this.$(".notice").textContent; // lock:taken_by_admin came before
    this.#notice((told || LOST[reason] || `The lock is gone (${reason}).`) + kept);
  }

  #notice(text) {
    const box = this.$(".notice");
    box.textContent = text;
    box.hidden = text === "";
    this.denied = false;
    this.$(".move").hidden = true;
  }

  #frame({ way, text }) {
    const item = document.createElement("li");
    item.className = way;
    item.textContent = text;
    const list = this.$(".frames ol");
    list.prepend(item);
    if (list.children.length > FRAMES_KEPT) list.lastElementChild.remove();
    this.$(".count").textContent = ++this.frames;
  }

  // ---- what is shown ----
  #lockText() {
    const { client } = this;
    const { lock } = client;
    const holder = lock.holder?.username ?? lock.holder?.userId;
    if (this.closed) return "This tab is closed.";
    if (client.editing && !client.confirmed) return "Cut off: the lock is unconfirmed. You may go on for a while.";
    if (!client.connected) return client.token && !this.sentAway ? "Cut off: the lock is unconfirmed." : "Not connected.";
    if (client.editing) return "You are editing.";
    if (lock.state === "free") return "Free: nobody is editing.";
    const waiting = lock.queueLength ? ` ${lock.queueLength} waiting.` : "";
    if (lock.state === "held") return `${holder} is editing${lock.dirty ? " (unsaved changes)" : ""}.${waiting}`;
    if (lock.state === "grace") return `${holder} was cut off; the lock is kept for a while.${waiting}`;
    if (lock.state === "reserved" && this.prompts.has("flow:turn")) return "Kept for you: it is your turn.";
    if (lock.state === "reserved") return `Kept for ${lock.reservedFor.username}, whose turn it is.${waiting}`;
    return "…";
  }

  #render() {
    const active = document.activeElement;
    this.#show();
    // A pressed button that goes away does not throw whoever pressed it back to the top of the page.
    if (this.root.contains(active) && (active.disabled || active.closest("[hidden]"))) this.#focusNext();
  }

  #focusNext() {
    if (this.client.editing) this.$("textarea").focus();
    else if (!this.$(".edit").disabled) this.$(".edit").focus();
    else this.$(".prompts").focus();
  }

  #show() {
    const { client, flows } = this;
    const { state } = client.lock;
    const mine = client.editing;
    const others = client.connected && !mine && state !== "free" && state !== "unknown";
    this.root.classList.toggle("mine", mine);
    this.root.classList.toggle("unconfirmed", mine && !client.confirmed);
    this.root.classList.toggle("other", others);
    this.root.classList.toggle("free", client.connected && state === "free");
    this.$(".connection").textContent = client.connected ? "connected" : this.offline ? "offline" : "not connected";
    this.$(".connection").classList.toggle("on", client.connected);
    const text = this.#lockText();
    if (this.$(".lock").textContent !== text) this.$(".lock").textContent = text;
    this.$(".token").textContent = mine && client.token ? `fencing token ${client.token}` : "";
    this.$(".dirty").hidden = !this.dirty;
    this.$("textarea").readOnly = !mine;
    this.$(".edit").hidden = mine;
    this.$(".edit").disabled = !client.connected || state === "unknown" || flows.waiting;
    this.$(".save").hidden = this.$(".release").hidden = !mine;
    this.$(".save").disabled = !this.dirty;
    this.$(".release").disabled = !client.confirmed;
    const asked = client.policy?.requests || client.policy?.upgrade === "request";
    this.#offerForm("request", others && asked && !flows.asking && client.lock.holder?.userId !== this.person.id);
    this.#offerForm("takeover", others && this.person.admin && client.policy?.takeover !== "never");
    this.$(".offline").textContent = this.offline ? "Go online" : "Go offline";
    this.$(".offline").setAttribute("aria-pressed", String(Boolean(this.offline)));
    this.$(".offline").disabled = Boolean(this.closed);
    this.$(".close").textContent = this.closed ? "Open again" : "Close";
    this.#offerDrafts();
    this.#renderPeople();
    this.#tick();
  }

  #offerForm(name, offered) {
    this.$(`.${name}`).hidden = !offered;
    if (offered) return;
    this.$(`.${name}-form`).hidden = true;
    this.$(`.${name}`).setAttribute("aria-expanded", "false");
  }

  #renderPeople() {
    const names = [...this.client.users.values()].map((u) =>
      (u.username ?? u.userId) + (u.connections > 1 ? ` ×${u.connections}` : "") + (u.hasLock ? " ✎" : ""));
    this.$(".users").textContent = names.length ? `${names.join(", ")} (${this.client.viewers} reading)` : "nobody yet";
  }

  #tick() {
    const { client } = this;
    const cutOff = client.editing && !client.confirmed;
    const endsAt = cutOff ? client.belief.until : client.endsAt;
    const left = endsAt ? Math.max(0, endsAt - now()) : null;
    const shown = cutOff || (client.connected && left !== null && client.lock.state !== "free");
    this.prompts.tick();
    this.$(".clock").hidden = !shown && !this.dirty;
    this.$(".clock progress").hidden = this.$(".countdown").hidden = !shown;
    if (!shown) return;
    const { gracePeriodMs, claimWindowMs, ttlMs } = client.policy ?? {};
    const whole = cutOff ? gracePeriodMs : { grace: gracePeriodMs, reserved: claimWindowMs }[client.lock.state] ?? ttlMs;
    this.$("progress").value = whole ? Math.min(1, left / whole) : 0;
    this.$(".countdown").textContent = clockText(left);
  }
}

async function fetchToken({ id, name, admin }) {
  const query = new URLSearchParams({ user: id, name, ...(admin && { admin: 1 }) });
  const response = await fetch(`/dev/token?${query}`, { signal: AbortSignal.timeout(5000) }); // the link may swallow this too
  if (!response.ok) throw new Error(`${response.status}`);
  return (await response.json()).token;
}
