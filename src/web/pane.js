// One person's tab on the page: what the lock client says, in words and buttons.
import { LockClient } from "./lock-client.js";
import { loadDocument, saveDocument, onDocumentChanged } from "./document.js";

const FRAMES_KEPT = 60;
const LOST = {
  EXPIRED: "The lock ran out, because no heartbeat came in time.",
  MOVED: "You went on editing in another tab.",
  DISCONNECT: "The connection ended, and with it the lock.",
  GRACE_PERIOD_EXPIRED: "You were away longer than the grace period.",
  STORE_LOST: "The server could not confirm the lock in time.",
  STALE_TOKEN: "Somebody else has had the lock meanwhile.",
  NOT_HELD: "The lock is not yours any more.",
};
const DENIED = {
  HELD: "is editing",
  GRACE: "was cut off and may come back",
  RESERVED: "is about to edit",
};

export class Pane {
  constructor({ person, number, resourceId, onTwin }) {
    const root = document.getElementById("pane-template").content.firstElementChild.cloneNode(true);
    this.root = root;
    this.person = person;
    this.key = `wslock-demo:${person.id}:${number}`;
    this.$ = (selector) => root.querySelector(selector);
    this.$(".name").textContent = person.name;
    this.$(".tab").textContent = `tab ${number}`;
    root.setAttribute("aria-label", `${person.name}, tab ${number}`);
    this.dirty = false;
    this.frames = 0;
    this.client = new LockClient({
      url: `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`,
      resourceId,
      clientId: this.#clientId(),
      fetchToken: () => fetchToken(person),
      store: {
        load: () => Number(sessionStorage.getItem(`${this.key}:token`)) || null,
        save: (token) => sessionStorage.setItem(`${this.key}:token`, token ?? ""),
      },
    });
    this.#wire(onTwin);
    onDocumentChanged(() => this.#showDocument());
    this.#showDocument();
    this.ticker = setInterval(() => this.#tick(), 250);
    this.client.connect().catch((problem) => this.#notice(`No token: ${problem.message}`));
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
    on(".release", () => { if (!this.dirty || this.#save()) client.release(loadDocument().revision); });
    on(".offline", () => this.#toggleOffline());
    on(".reload", () => this.#reload());
    on(".close", () => this.#close());
    on(".twin", () => onTwin(this.person));
    this.$("textarea").addEventListener("input", () => this.#typed());
    client.addEventListener("frame", (e) => this.#frame(e.detail));
    client.addEventListener("change", (e) => this.#changed(e.detail));
  }

  #toggleOffline() {
    this.offline = !this.offline;
    if (this.offline) this.client.disconnect();
    else this.client.connect();
    this.#render();
  }

  #reload() {
    this.client.disconnect();
    this.offline = this.closed = false;
    this.dirty = false;
    this.#showDocument(true);
    this.client.connect();
  }

  #close() {
    this.closed = !this.closed;
    this.offline = false;
    if (this.closed) this.client.disconnect(1000);
    else this.client.connect();
    this.dirty = false;
    this.#showDocument(true);
    this.#render();
  }

  #typed() {
    if (!this.dirty) {
      this.dirty = true;
      this.client.heartbeat(true);
    }
    this.#render();
  }

  // As an application's save handler does it: a fencing token lower than the highest seen is refused.
  #save() {
    const saved = saveDocument(this.$("textarea").value, this.client.token);
    if (!saved) {
      this.#notice("Not saved: somebody with a newer lock has written since. Your text is still here.");
      return false;
    }
    this.dirty = false;
    this.client.heartbeat(false);
    this.#render();
    return true;
  }

  #showDocument(force) {
    if (force || !this.dirty) this.$("textarea").value = loadDocument().text;
  }

  #changed({ event, data, reply }) {
    if (event === "lock:acquired") {
      this.#notice("");
      this.#showDocument();
      this.#scheduleHeartbeat(data.heartbeatIntervalMs);
    }
    if (event === "lock:expiring" && this.$(".alive").checked) this.client.heartbeat(this.dirty);
    if (event === "lock:denied" && reply) this.#denied(data);
    if (event === "system:degraded") this.#notice("The server has lost its store: nothing can be confirmed until it is back.");
    if (event === "system:recovered") this.#notice("");
    if (event === "error") this.#notice(`${data.code}: ${data.message}`);
    if (event === "lock:lost" && data.reason !== "RELEASED") this.#lost(data);
    if (event === "resource:joined" && data.lost) this.#lost(data.lost);
    if (event === "resource:joined" && data.lock.mine) this.#scheduleHeartbeat(data.policy.heartbeatIntervalMs);
    this.#render();
  }

  #scheduleHeartbeat(interval) {
    clearInterval(this.beat);
    this.beat = setInterval(() => {
      if (this.client.editing && this.$(".alive").checked) this.client.heartbeat(this.dirty);
    }, interval);
  }

  #denied(data) {
    this.$(".move").hidden = data.reason !== "HELD_BY_YOU";
    if (data.reason === "HELD_BY_YOU") this.#notice("You are editing this in another tab.");
    else this.#notice(`Not now: ${data.currentHolder ?? "the server"} ${DENIED[data.reason] ?? data.reason}.`);
  }

  #lost({ reason }) {
    this.#notice(`${LOST[reason] ?? reason} ${this.dirty ? "Your unsaved text is still in the box." : ""}`);
  }

  #notice(text) {
    const box = this.$(".notice");
    box.textContent = text;
    box.hidden = text === "";
    if (text === "") this.$(".move").hidden = true;
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

  #lockText() {
    const { client } = this;
    const { lock } = client;
    const holder = lock.holder?.username ?? lock.holder?.userId;
    if (this.closed) return "This tab is closed.";
    if (!client.connected) return client.token ? "Cut off: the lock is unconfirmed." : "Not connected.";
    if (client.editing) return "You are editing.";
    if (lock.state === "free") return "Free: nobody is editing.";
    if (lock.state === "held") return `${holder} is editing${lock.dirty ? " (unsaved changes)" : ""}.`;
    if (lock.state === "grace") return `${holder} was cut off; the lock is kept for a while.`;
    return "…";
  }

  #render() {
    const { client } = this;
    const mine = client.connected && client.editing;
    const { state } = client.lock;
    this.root.classList.toggle("mine", mine);
    this.root.classList.toggle("other", client.connected && !mine && (state === "held" || state === "grace"));
    this.root.classList.toggle("free", client.connected && state === "free");
    this.$(".connection").textContent = client.connected ? "connected" : this.offline ? "offline" : "not connected";
    this.$(".connection").classList.toggle("on", client.connected);
    const text = this.#lockText();
    if (this.$(".lock").textContent !== text) this.$(".lock").textContent = text;
    this.$(".token").textContent = mine && client.token ? `fencing token ${client.token}` : "";
    this.$(".dirty").hidden = !this.dirty;
    this.$("textarea").readOnly = !mine;
    this.$(".edit").hidden = mine;
    this.$(".edit").disabled = !client.connected;
    this.$(".save").hidden = this.$(".release").hidden = !mine;
    this.$(".save").disabled = !this.dirty;
    this.$(".offline").textContent = this.offline ? "Go online" : "Go offline";
    this.$(".offline").setAttribute("aria-pressed", String(Boolean(this.offline)));
    this.$(".offline").disabled = Boolean(this.closed);
    this.$(".close").textContent = this.closed ? "Open again" : "Close";
    this.#renderPeople();
    this.#tick();
  }

  #renderPeople() {
    const names = [...this.client.users.values()].map((u) =>
      (u.username ?? u.userId) + (u.connections > 1 ? ` ×${u.connections}` : "") + (u.hasLock ? " ✎" : ""));
    this.$(".users").textContent = names.length ? `${names.join(", ")} (${this.client.viewers} reading)` : "nobody yet";
  }

  #tick() {
    const { client } = this;
    const left = client.endsAt ? Math.max(0, client.endsAt - performance.now()) : null;
    const shown = client.connected && left !== null && client.lock.state !== "free";
    this.$(".clock").hidden = !shown && !this.dirty;
    this.$(".clock progress").hidden = this.$(".countdown").hidden = !shown;
    if (!shown) return;
    const whole = client.lock.state === "grace" ? client.policy?.gracePeriodMs : client.policy?.ttlMs;
    this.$("progress").value = whole ? Math.min(1, left / whole) : 0;
    const seconds = Math.ceil(left / 1000);
    this.$(".countdown").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
  }
}

async function fetchToken({ id, name }) {
  const response = await fetch(`/dev/token?user=${encodeURIComponent(id)}&name=${encodeURIComponent(name)}`);
  if (!response.ok) throw new Error(`${response.status}`);
  return (await response.json()).token;
}
