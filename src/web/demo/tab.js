// One person's tab: the client library, the text in the editor, and what there is to say about both. What is shown of it is worked out
// from its state each time (situation.js, messages.js): nothing here writes to the page.
import { WslockClient } from "../wslock.js";
import { Network } from "./faults.js";

const TOUCH_MS = 2000;
const IDLE_MS = 5000;
const DOCUMENT_EVENTS = ["visibilitychange", "resume", "freeze"];
const WINDOW_EVENTS = ["pagehide", "pageshow", "beforeunload", "focus", "online"];

// The browser's sessionStorage, as a tab of its own would have it.
function sessionOf(prefix) {
  const full = (key) => `${prefix}:${key}`;
  const keys = () => Object.keys(sessionStorage).filter((key) => key.startsWith(`${prefix}:`));
  return {
    get length() { return keys().length; },
    key: (index) => keys()[index]?.slice(prefix.length + 1) ?? null,
    getItem: (key) => sessionStorage.getItem(full(key)),
    setItem: (key, value) => sessionStorage.setItem(full(key), value),
    removeItem: (key) => sessionStorage.removeItem(full(key)),
  };
}

async function fetchToken({ id, name, admin }, network, signal) {
  if (network.state !== "up") throw new Error("the network is cut");
  const query = new URLSearchParams({ user: id, name, ...(admin && { admin: 1 }) });
  const response = await fetch(`/dev/token?${query}`, { signal });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return (await response.json()).token;
}

// Events: change (of anything), frame, opened (it has another client: it was reloaded).
export class Tab extends EventTarget {
  #ends = [];
  #changing = false;

  constructor({ person, number, kind, store }) {
    super();
    Object.assign(this, { person, number, kind, store });
    this.network = new Network();
    this.away = this.closed = false;
    this.text = this.base = null; // of the editor; base: the revision that it was written on
    this.dirty = false;
    this.ended = new AbortController();
    store.addEventListener("change", () => this.#storeChanged(), { signal: this.ended.signal });
    this.toucher = setInterval(() => this.away || this.client.touch(), TOUCH_MS);
    this.#open();
  }

  get connected() { return this.client.state === "connected" && this.section.joined; }
  // The lock is this user's, in another tab.
  get elsewhere() {
    const { lock } = this.section;
    return this.connected && !lock.mine && !this.section.mayEdit && ["held", "grace"].includes(lock.state) && lock.holder.userId === this.person.id;
  }

  // ---- the page's life ----

  #open() {
    this.window = new EventTarget();
    for (const type of WINDOW_EVENTS) this.#listen(window, type, (event) => this.#pass(type, event.persisted));
    this.document = Object.defineProperty(new EventTarget(), "visibilityState", { get: () => document.visibilityState });
    for (const type of DOCUMENT_EVENTS) this.#listen(document, type, () => this.document.dispatchEvent(new Event(type)));
    this.client = new WslockClient({
      getToken: ({ signal }) => fetchToken(this.person, this.network, signal),
      storageKey: "wslock-demo",
      storage: { session: sessionOf(`wslock-demo:${this.kind.type}:${this.person.id}:${this.number}`) },
      activity: "manual", idleAfterMs: IDLE_MS,
      platform: { WebSocket: this.network.WebSocket, window: this.window, document: this.document },
    });
    this.section = this.client.section(this.kind.resourceId);
    this.closedBy = null; // the close code that ended the connection for good
    this.everConnected = false;
    this.attempt = null; // why what the user asked for last was refused: {words, situation}
    this.saveProblem = this.takenBy = this.comparing = this.restored = this.lossSituation = null;
    this.draftKept = true;
    this.lastFence = this.asking = 0;
    this.dismissed = new Set();
    this.#wire();
    this.#loadText();
    this.section.view().catch(() => {}); // what the matter is says the client's state
  }

  #wire() {
    const on = (target, event, listener) => this.#ends.push(target.on(event, listener));
    const { client, section } = this;
    on(client, "change", () => this.#changed());
    on(client, "frame", (frame) => this.#tell("frame", frame));
    on(client, "problem", ({ error }) => { this.problem = error; this.#changed(); });
    on(client, "connection", ({ state, code }) => {
      if (state === "connected") this.everConnected = true;
      if (state === "connected") this.problem = null;
      this.closedBy = state === "closed" ? code : null;
    });
    on(section, "granted", (granted) => this.#granted(granted));
    on(section, "lost", () => this.#lost());
    on(section, "lock:taken_by_admin", ({ adminUsername, reason }) => { this.takenBy = { name: adminUsername, reason }; });
    on(section, "lock:request_timeout", ({ reason, message }) => this.#outcome(reason, message));
    on(section, "lock:queue_left", ({ reason }) => reason !== "LEFT" && this.#outcome(reason));
    on(section, "lock:request_closed", ({ outcome }) => this.#outcome(`REQUEST_${outcome}`));
    on(section, "lock:takeover_closed", ({ outcome }) => this.#outcome(`TAKEOVER_${outcome}`));
  }

  #listen(target, type, listener) {
    target.addEventListener(type, listener);
    this.#ends.push(() => target.removeEventListener(type, listener));
  }

  #pass(type, persisted) {
    this.window.dispatchEvent(new PageTransitionEvent(type, { persisted: persisted === true }));
  }

  // As the browser does it: the page goes, and another one comes with what the storage has.
  reload() {
    if (!this.closed) this.#pass("pagehide");
    this.#forget();
    this.closed = false;
    this.#open();
    this.#tell("opened");
    this.#changed();
  }

  // For good, as when the window is closed: on purpose.
  close() {
    this.closed = true;
    this.#forget();
    this.client.close();
    this.#loadText();
    this.#changed();
  }

  end() {
    clearInterval(this.toucher);
    this.ended.abort();
    this.#forget();
    this.client.close();
  }

  #forget() {
    this.#ends.splice(0).forEach((end) => end());
    this.dirty = false;
  }

  // ---- faults ----

  setNetwork(state) {
    this.network.state = state;
    if (state === "up" && this.client.state === "waiting") this.client.connect();
    this.#changed();
  }

  setAway(away) {
    this.away = away;
    if (!away) this.client.touch();
    this.#changed();
  }

  // ---- what the user wants ----

  // Runs a request; says why not, if not. True: it was granted.
  async ask(run) {
    this.attempt = null;
    this.asking++;
    try {
      await run(this.section);
      return true;
    } catch (error) {
      if (!error.code) throw error;
      this.#say({ code: error.code });
      return false;
    } finally {
      this.asking--;
      this.#changed();
    }
  }

  #outcome(code, detail) { this.#say({ kind: "outcome", code, detail }); }

  // Bound to how things stand now: it goes when they change.
  #say(attempt) {
    this.attempt = attempt;
    this.#settled(() => { attempt.situation ??= this.situation; });
  }

  // When everything that came with a message has been taken in.
  #settled(run) {
    setTimeout(() => {
      run();
      this.#changed();
    });
  }

  get situation() {
    const { lock, position, turn, asked, takingOver, requests, takeover, state } = this.section;
    const who = lock.holder?.userId ?? lock.reservedFor?.userId ?? "";
    return [this.client.state, state, lock.state, who, position !== null, turn, asked?.requestId, takingOver?.requestId,
      requests.length, takeover?.requestId].join("|");
  }

  dismiss(key) {
    this.dismissed.add(key);
    this.#changed();
  }

  // ---- the text ----

  type(text) {
    this.text = text;
    this.dirty = true;
    this.saveProblem = null;
    if (this.away) this.setAway(false);
    this.draftKept = this.section.keepDraft(text, this.base);
    this.#changed();
  }

  // True: what is in the editor is what is stored. As an application's save handler does it, the store checks the fence.
  save() {
    const { text } = this;
    const saved = this.store.save({ text, fence: this.section.fence, by: this.person.name });
    this.saveProblem = saved.problem ?? null;
    if (saved.revision) {
      this.base = saved.revision;
      this.dirty = false;
      this.restored = null;
      this.draftKept = true;
      this.section.saved({ revision: saved.revision, text });
    }
    this.#changed();
    return !saved.problem;
  }

  // Saves what is unsaved, and then lets go with the revision of what is saved.
  finish(run) {
    if (this.dirty && !this.save()) return undefined;
    return this.ask((section) => run(section, { revision: this.store.load().revision }));
  }

  #granted({ fence }) {
    const wentOn = this.lastFence === 0 && this.asking === 0; // it was this tab's before the reload
    this.store.register(fence);
    this.lastFence = fence;
    this.takenBy = this.attempt = null;
    if (this.dirty && this.base !== this.store.load().revision) this.dirty = false; // it stays a draft, to be compared
    if (!this.dirty) this.#loadText();
    if (wentOn) this.#restore();
    this.#changed();
  }

  // After a reload: what was being typed comes back under the lock that went on, unless somebody has saved since.
  #restore() {
    const draft = this.section.drafts().find(({ own }) => own);
    if (draft?.compare(this.store.load()).outcome !== "same-base") return;
    this.useDraft(draft, draft.text);
    this.restored = "reload";
  }

  // Only where nothing was saved or typed since it was written: else both are shown.
  putBack(draft) {
    if (!this.dirty && draft.compare(this.store.load()).outcome === "same-base") this.useDraft(draft, draft.text);
    else this.comparing = draft.id;
    this.#changed();
  }

  discard(draft) {
    draft.discard();
    this.comparing = null;
    this.#changed();
  }

  // text: of the draft, or what was made of it.
  useDraft(draft, text) {
    this.type(text);
    if (this.draftKept) draft.discard(); // else it stays the only stored copy
    this.comparing = null;
    this.#changed();
  }

  drafts() {
    return this.section.drafts().filter((draft) => {
      if (this.elsewhere && !draft.own) return false; // may be what is being typed there
      const isStored = draft.compare(this.store.load()).outcome === "identical";
      if (isStored) draft.discard();
      return !isStored;
    });
  }

  #lost() {
    this.dirty = false;
    this.comparing = this.restored = this.saveProblem = null;
    this.dismissed.clear();
    this.lossSituation = null;
    this.#settled(() => { this.lossSituation = this.situation; });
    this.#loadText();
    this.#changed();
  }

  #loadText() {
    const { text, revision } = this.store.load();
    Object.assign(this, { text, base: revision });
  }

  #storeChanged() {
    if (!this.dirty) this.#loadText();
    this.#changed();
  }

  // ---- telling ----

  #changed() {
    if (this.#changing) return;
    this.#changing = true;
    queueMicrotask(() => {
      this.#changing = false;
      if (this.attempt?.situation && this.attempt.situation !== this.situation) this.attempt = null;
      this.#tell("change");
    });
  }

  #tell(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }
}
