// Shows one tab: who edits, what there is to say, the text, what can be done.
import { clockText, fromTemplate, setText } from "./dom.js";
import { Developer } from "./developer.js";
import { MessageList } from "./message-list.js";
import { messagesOf } from "./messages.js";
import { faultHint, nameOf, offered, standing } from "./situation.js";
import { Tab } from "./tab.js";

const TICK_MS = 250;
const LOOKS = ["mine", "doubt", "other", "free", "away"];

export class Pane extends EventTarget {
  constructor({ person, number, kind, store }) {
    super();
    const root = this.root = fromTemplate("pane-template");
    this.$ = (selector) => root.querySelector(selector);
    this.tab = new Tab({ person, number, kind, store });
    this.#name(person, number, kind);
    this.messages = new MessageList(this.$(".messages"));
    this.developer = new Developer(this.$(".developer"), this.tab);
    this.#wire();
    this.ended = new AbortController();
    this.tab.addEventListener("change", () => this.#render(), { signal: this.ended.signal });
    this.ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#render();
  }

  end() {
    clearInterval(this.ticker);
    this.ended.abort();
    this.tab.end();
    this.root.remove();
  }

  #name(person, number, kind) {
    this.root.setAttribute("aria-label", `${person.name}, tab ${number}`);
    setText(this.$(".name"), person.name);
    setText(this.$(".which"), [person.admin && "administrator", number > 1 && `tab ${number}`].filter(Boolean).join(", "));
    setText(this.$(".text-label"), kind.label);
  }

  #wire() {
    const { tab } = this;
    const on = (selector, run) => this.$(selector).addEventListener("click", run);
    on(".edit", () => tab.ask((section) => section.edit()));
    on(".queue", () => tab.ask((section) => section.edit()));
    on(".move", () => tab.ask((section) => section.edit({ takeOwn: true })));
    on(".save", () => tab.save());
    on(".release", () => tab.finish((section, saved) => section.release(saved)));
    on(".cut", () => tab.setNetwork(tab.network.state === "cut" ? "up" : "cut"));
    on(".silent", () => tab.setNetwork(tab.network.state === "silent" ? "up" : "silent"));
    on(".step-away", () => tab.setAway(!tab.away));
    on(".reload", () => tab.reload());
    on(".close", () => (tab.closed ? tab.reload() : tab.close()));
    on(".twin", () => this.dispatchEvent(new Event("twin")));
    this.#wireForm("request", (section) => section.request(this.$(".request-text").value));
    this.#wireForm("takeover", (section) => section.takeOver(this.$(".takeover-reason").value, { urgent: this.$(".urgent").checked }));
    this.$(".messages").addEventListener("focuslost", () => this.#focusNext());
    this.#wireText();
  }

  #wireText() {
    const { tab } = this;
    const text = this.$("textarea");
    text.addEventListener("beforeinput", (event) => {
      tab.client.check();
      if (!tab.section.mayEdit) event.preventDefault();
    });
    text.addEventListener("input", () => tab.type(text.value));
    text.addEventListener("keydown", (event) => {
      if (event.key !== "s" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      if (tab.section.mayEdit) tab.save();
    });
  }

  // A button that opens a form, and the form.
  #wireForm(name, run) {
    const [button, form] = [this.$(`.${name}`), this.$(`.${name}-form`)];
    button.addEventListener("click", () => {
      this.#openForm(name, form.hidden);
      if (!form.hidden) form.querySelector("input").focus();
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const send = form.querySelector("button");
      if (send.disabled) return;
      send.disabled = true;
      const granted = await this.tab.ask(run);
      send.disabled = false;
      if (!granted) return; // what was typed stays, for another try
      form.reset();
      this.#openForm(name, false);
      this.#focusNext();
    });
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#openForm(name, false);
      button.focus();
    });
  }

  #openForm(name, open) {
    this.$(`.${name}-form`).hidden = !open;
    this.$(`.${name}`).setAttribute("aria-expanded", String(open));
  }

  focus() {
    this.focusWaits = false;
    this.$(".standing").focus();
  }

  // As soon as it is offered.
  startTakeover() {
    this.wantsTakeover = true;
    this.#render();
  }

  // ---- what is shown ----

  #render() {
    const active = document.activeElement;
    this.#show();
    // A pressed button that goes away does not throw whoever pressed it back to the top of the page.
    const isGone = this.root.contains(active) && (active.disabled || active.closest("[hidden]"));
    // While the server is asked there may be no control to go to.
    if (isGone || (this.focusWaits && active === this.$(".standing"))) this.#focusNext();
    this.dispatchEvent(new Event("change"));
  }

  #focusNext() {
    const button = this.$(".main button:not([hidden])");
    const { mayEdit } = this.tab.section;
    this.focusWaits = !mayEdit && !button;
    if (mayEdit) this.$("textarea").focus();
    else (button ?? this.$(".standing")).focus();
  }

  #show() {
    const { tab } = this;
    const { look, text } = standing(tab);
    for (const name of LOOKS) this.root.classList.toggle(name, name === look);
    setText(this.$(".standing-text"), text);
    this.#showConnection();
    this.messages.show(messagesOf(tab));
    this.#showText();
    this.#showControls(offered(tab));
    this.#showFaults();
    this.#showPeople();
    this.#tick();
  }

  #showConnection() {
    const { tab } = this;
    const words = tab.closed ? "closed" : tab.connected ? "connected" : tab.everConnected ? "no connection" : "connecting";
    setText(this.$(".connection"), words);
    this.$(".connection").classList.toggle("on", tab.connected);
  }

  #showText() {
    const { tab } = this;
    const area = this.$("textarea");
    if (area.value !== tab.text) area.value = tab.text;
    area.readOnly = !tab.section.mayEdit || tab.closed;
    const saving = tab.dirty ? "Not saved yet" : "All saved";
    setText(this.$(".saving"), tab.section.mayEdit ? saving : "");
    this.$(".saving").classList.toggle("unsaved", tab.dirty);
  }

  #showControls(names) {
    for (const name of ["edit", "queue", "move", "save", "release", "request", "takeover"]) this.$(`.${name}`).hidden = !names.has(name);
    for (const name of ["request", "takeover"]) if (!names.has(name)) this.#openForm(name, false);
    this.$(".urgent-choice").hidden = this.tab.section.policy?.takeover !== "request"; // else there is nothing to wait for
    if (this.tab.section.lock.state === "free") this.wantsTakeover = false; // nobody is left to take it from
    if (this.wantsTakeover && names.has("takeover")) {
      this.wantsTakeover = false;
      this.#openForm("takeover", true);
      this.$(".takeover-reason").focus();
    }
    const main = ["edit", "queue", "move", "save", "request"].find((name) => names.has(name));
    for (const button of this.root.querySelectorAll(".main button")) button.classList.toggle("primary", button.classList.contains(main));
    this.$(".main").hidden = names.size === 0;
  }

  #showFaults() {
    const { tab } = this;
    const toggle = (name, on, label, undo) => {
      const button = this.$(`.${name}`);
      setText(button, on ? undo : label);
      button.classList.toggle("on", on);
      button.hidden = tab.closed;
    };
    toggle("cut", tab.network.state === "cut", "Cut the network", "Mend the network");
    toggle("silent", tab.network.state === "silent", "Blackhole", "End the blackhole");
    toggle("step-away", tab.away, "Step away", "Come back");
    this.$(".reload").hidden = this.$(".twin").hidden = tab.closed;
    setText(this.$(".close"), tab.closed ? "Open again" : "Close the tab");
    setText(this.$(".fault-hint"), faultHint(tab));
  }

  #showPeople() {
    const { users, viewers } = this.tab.section;
    const names = users.map((user) => `${nameOf(user)}${user.connections > 1 ? ` ×${user.connections}` : ""}${user.hasLock ? " (editing)" : ""}`);
    setText(this.$(".people"), names.length ? `Here: ${names.join(", ")}. ${viewers} reading.` : "");
  }

  #tick() {
    const left = standing(this.tab).left?.() ?? null;
    setText(this.$(".standing-left"), left === null ? "" : `${clockText(left)} left`);
    this.messages.tick();
    this.developer.tick();
  }
}
