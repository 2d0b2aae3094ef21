// Shows the messages of a tab. Each keeps its element as long as it is there, so that a screen reader says it once and a button that
// has the focus keeps it. They take no focus away from whoever is typing.
import { clockText, element, setText } from "./dom.js";

const SEVERITY = { info: "Note", warning: "Attention", problem: "Problem" };

export class MessageList {
  #box;
  #shown = new Map(); // key → {root, …, message}

  // box: a live region.
  constructor(box) {
    this.#box = box;
  }

  show(messages) {
    const keys = new Set(messages.map(({ key }) => key));
    for (const key of [...this.#shown.keys()]) if (!keys.has(key)) this.#remove(key);
    let last = null;
    for (const message of messages) {
      const item = this.#shown.get(message.key) ?? this.#make(message.key);
      this.#fill(item, message);
      if ((last?.nextSibling ?? (last ? null : this.#box.firstChild)) !== item.root) this.#place(item.root, last);
      last = item.root;
    }
    this.tick();
  }

  tick() {
    for (const { left, message } of this.#shown.values()) {
      const ms = message.left?.() ?? null;
      left.hidden = ms === null;
      setText(left, ms === null ? "" : `${clockText(ms)} left`);
    }
  }

  #place(root, last) {
    if (last) last.after(root);
    else this.#box.prepend(root);
  }

  // Whoever pressed a button that goes away is not thrown back to the top of the page.
  #remove(key) {
    const { root } = this.#shown.get(key);
    const hadFocus = root.contains(document.activeElement);
    root.remove();
    this.#shown.delete(key);
    if (hadFocus) this.#box.dispatchEvent(new CustomEvent("focuslost"));
  }

  #make(key) {
    const item = {
      severity: element("strong", { className: "severity" }), title: element("h3", { className: "title" }),
      text: element("p", { className: "text" }), quote: element("blockquote", { className: "quote" }),
      left: element("p", { className: "left", role: "timer" }), versions: element("div", { className: "versions" }),
      actions: element("div", { className: "actions" }),
    };
    const { severity, title, left, text, quote, versions, actions } = item;
    item.root = element("section", { className: "message", role: "group" }, element("div", { className: "line" }, severity, title, left), text, quote, versions, actions);
    this.#shown.set(key, item);
    return item;
  }

  #fill(item, message) {
    item.message = message;
    item.root.dataset.severity = message.severity;
    item.root.setAttribute("aria-label", message.title);
    setText(item.severity, SEVERITY[message.severity]);
    setText(item.title, message.title);
    for (const name of ["text", "quote"]) {
      setText(item[name], message[name] ?? "");
      item[name].hidden = !message[name];
    }
    this.#fillVersions(item, message.versions ?? []);
    this.#fillActions(item, message.actions ?? []);
  }

  #fillVersions(item, versions) {
    item.versions.hidden = versions.length === 0;
    if (item.versions.children.length !== versions.length) {
      item.versions.replaceChildren(...versions.map(() => element("figure", {}, element("figcaption"), element("blockquote", { className: "quote" }))));
    }
    versions.forEach(({ name, text }, i) => {
      const [caption, quote] = item.versions.children[i].children;
      setText(caption, name);
      setText(quote, text);
    });
  }

  #fillActions(item, actions) {
    item.actions.hidden = actions.length === 0;
    const labels = actions.map(({ label }) => label).join("|");
    if (item.labels === labels) return;
    item.labels = labels;
    const hadFocus = item.actions.contains(document.activeElement);
    item.actions.replaceChildren(...actions.map(({ label }, i) => element("button", {
      type: "button", textContent: label, className: i === 0 && actions.length > 1 ? "primary" : "",
      onclick: () => item.message.actions[i].run(),
    })));
    if (hadFocus) item.actions.firstElementChild?.focus();
  }
}
