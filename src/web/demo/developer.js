// For developers: the numbers of one tab, and its frames as they pass. Folded away.
import { clockText, element, setText } from "./dom.js";

const FRAMES_KEPT = 200;

export class Developer {
  #box;
  #tab;
  #count = 0;

  constructor(box, tab) {
    this.#box = box;
    this.#tab = tab;
    tab.addEventListener("frame", ({ detail }) => this.#frame(detail));
    box.addEventListener("toggle", () => this.tick());
  }

  tick() {
    if (!this.#box.open) return;
    for (const [name, value] of this.#numbers()) this.#show(name, value);
  }

  #numbers() {
    const { client, section, base, store } = this.#tab;
    const { policy, lock } = section;
    const left = section.countdown();
    return [
      ["Fencing token", section.fence ?? "none"],
      ["Highest that the store has seen", store.load().fence || "none"],
      ["Section", section.state],
      ["Lock", lock.state],
      ["Time left", left === null ? "–" : clockText(left)],
      ["Lock time, heartbeat, grace", policy ? `${policy.ttlMs / 1000} s, ${policy.heartbeatIntervalMs / 1000} s, ${policy.gracePeriodMs / 1000} s` : "–"],
      ["Text", base],
      ["Connection", client.state],
      ["Tab (clientId)", client.clientId ?? "–"],
      ["Page (pageId)", client.pageId],
    ];
  }

  #show(name, value) {
    const list = this.#box.querySelector(".numbers");
    let row = [...list.children].find(({ dataset }) => dataset.name === name);
    if (!row) list.append(row = element("div", { "data-name": name }, element("dt", { textContent: name }), element("dd")));
    setText(row.lastElementChild, String(value));
  }

  #frame({ direction, text }) {
    const list = this.#box.querySelector(".frames");
    list.prepend(element("li", { className: direction, textContent: text }));
    if (list.children.length > FRAMES_KEPT) list.lastElementChild.remove();
    setText(this.#box.querySelector(".count"), String(++this.#count));
  }
}
