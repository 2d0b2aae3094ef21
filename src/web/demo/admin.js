// The administrator's view: every document of the demo and who has it, over the one connection of the administrator's tab.
import { element, setText } from "./dom.js";
import { KINDS } from "./kinds.js";
import { mayTakeOver, nameOf } from "./situation.js";

const HELD = new Set(["held", "grace"]);

export class AdminView {
  #body;
  #ends = [];

  // onTake(kind): the administrator wants to take over there.
  constructor(body, onTake) {
    this.#body = body;
    this.#body.replaceChildren(...KINDS.map((kind) => element("tr", { "data-type": kind.type },
      element("th", { scope: "row" }, kind.label, element("span", { className: "which", textContent: ` ${kind.type}` })), element("td"), element("td"), element("td"),
      element("td", {}, element("button", { type: "button", textContent: "Take over…", onclick: () => onTake(kind) })))));
  }

  watch(tab) {
    this.end();
    const { client } = tab;
    for (const { resourceId } of KINDS) client.section(resourceId).view().catch(() => {}); // "unknown", then
    const show = () => KINDS.forEach((kind, i) => this.#show(this.#body.children[i], kind, tab));
    tab.addEventListener("change", show);
    const ticker = setInterval(show, 1000);
    this.#ends = [() => tab.removeEventListener("change", show), () => clearInterval(ticker)];
    show();
  }

  end() {
    this.#ends.splice(0).forEach((end) => end());
  }

  #show(row, { label, resourceId }, tab) {
    const section = tab.client.section(resourceId);
    const { lock, joined } = section;
    const [, who, since, waiting, act] = row.children;
    setText(who, tab.connected && joined ? holderText(lock) : "unknown");
    setText(since, HELD.has(lock.state) && lock.since ? sinceText(tab.client.serverTime() - lock.since) : "–");
    setText(waiting, String(lock.queueLength ?? 0));
    const button = act.firstElementChild;
    button.hidden = !mayTakeOver(tab, section);
    button.setAttribute("aria-label", `Take over: ${label}`);
  }
}

function holderText(lock) {
  if (lock.state === "free") return "nobody";
  if (lock.state === "reserved") return `turn of ${nameOf(lock.reservedFor)}`;
  return nameOf(lock.holder) + (lock.state === "grace" ? " (cut off)" : lock.dirty ? " (unsaved changes)" : "");
}

function sinceText(ms) {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  return minutes === 0 ? "just now" : `${minutes} min ago`;
}
