// The last records of the audit log, as far as the people on this page are told of them: each change of a lock is an event in its room
// with the number (rev) that its record has. The log itself is a file of the daemon's, and nothing of it is served here.
import { element } from "./dom.js";
import { nameOf } from "./situation.js";
import { RECORDED, RECORDED_EVENTS } from "./words.js";

const KEPT = 8;

export class AuditStrip {
  #list;
  #empty;
  #seen = new Set();
  #holders = new Map(); // resourceId → who had the lock last

  constructor(list, empty) {
    this.#list = list;
    this.#empty = empty;
  }

  // Everybody in the room is told of the same change.
  watch(tab) {
    const { section, person } = tab;
    section.on("resource:joined", ({ resourceId, lock }) => this.#remember(resourceId, lock));
    section.on("lock:state", (data) => data.cause && this.#changed(data));
    for (const [event, describe] of Object.entries(RECORDED_EVENTS)) {
      section.on(event, (data) => {
        const record = describe(data);
        if (record) this.#add(data, record[0], person.name, record[1]);
      });
    }
  }

  #remember(resourceId, lock) {
    if (lock.holder) this.#holders.set(resourceId, nameOf(lock.holder));
  }

  #changed(data) {
    const { resourceId, lock, cause } = data;
    const before = this.#holders.get(resourceId) ?? "Somebody";
    this.#remember(resourceId, lock);
    const isTakeover = cause === "TRANSFERRED" && lock.state === "held"; // else the lock is kept for who had asked
    const record = RECORDED[isTakeover ? "TAKEN_BY_ADMIN" : cause];
    if (!record) return;
    const [action, words] = record;
    this.#add(data, action, nameOf(lock.reservedFor && cause === "RESERVED" ? lock.reservedFor : lock.holder ?? { username: before }), words);
  }

  #add({ resourceId, rev, serverTime }, action, who, words) {
    const key = `${resourceId}|${rev}|${action}|${who}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#empty.hidden = true;
    const time = new Date(serverTime ?? Date.now());
    this.#list.prepend(element("li", { "data-rev": rev, "data-action": action, "data-resource": resourceId },
      element("time", { dateTime: time.toISOString(), textContent: time.toLocaleTimeString([], { hour12: false }) }),
      element("span", { className: "what" }, element("b", { textContent: who }), ` ${words}`),
      element("code", { textContent: action })));
    if (this.#list.children.length > KEPT) this.#list.lastElementChild.remove();
  }
}
