// The questions of one tab: boxes with a text, the time that is left, and buttons. They lie in the page
// and take no focus away from whoever is typing; a screen reader says a new one.

export function clockText(ms) {
  const whole = Math.ceil(Math.max(0, ms) / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} left`;
}

export class Prompts {
  constructor(box) {
    this.box = box;
    this.shown = new Map();
  }

  has(key) { return this.shown.has(key); }

  // until: when it is over, by performance.now(); quote: what a person wrote; actions: [label, function].
  show(key, { title, text, quote, until, actions = [] }) {
    const known = this.shown.get(key);
    const item = known ?? this.#make(key);
    item.root.setAttribute("aria-label", title);
    item.text.textContent = text;
    item.quote.textContent = quote ?? "";
    item.quote.hidden = !quote;
    item.until = until ?? null;
    const labels = actions.map(([label]) => label).join("|");
    if (item.labels !== labels) {
      const focused = item.buttons.contains(document.activeElement);
      item.buttons.replaceChildren(...actions.map((_, i) => this.#button(item, actions, i)));
      if (focused) (item.buttons.firstElementChild ?? this.box).focus();
    }
    item.labels = labels;
    item.actions = actions;
    if (!known) this.box.append(item.root);
    this.tick();
  }

  drop(key) {
    const item = this.shown.get(key);
    if (!item) return;
    // Whoever pressed a button that goes away is not thrown back to the top of the page.
    const focused = item.root.contains(document.activeElement);
    item.root.remove();
    this.shown.delete(key);
    if (focused) this.box.focus();
  }

  dropAll(prefix = "") {
    [...this.shown.keys()].filter((key) => key.startsWith(prefix)).forEach((key) => this.drop(key));
  }

  // Of those with this prefix only the ones whose rest is in `wanted`.
  keepOnly(prefix, wanted) {
    for (const key of [...this.shown.keys()]) {
      if (key.startsWith(prefix) && !wanted.has(key.slice(prefix.length))) this.drop(key);
    }
  }

  tick() {
    for (const { left, until } of this.shown.values()) {
      left.hidden = until === null;
      if (until !== null) left.textContent = clockText(until - performance.now());
    }
  }

  #make(key) {
    const root = document.getElementById("prompt-template").content.firstElementChild.cloneNode(true);
    const $ = (selector) => root.querySelector(selector);
    const item = { root, text: $(".text"), quote: $(".quote"), left: $(".left"), buttons: $(".actions") };
    this.shown.set(key, item);
    return item;
  }

  #button(item, actions, index) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = actions[index][0];
    button.classList.toggle("primary", index === 0 && actions.length > 1);
    button.addEventListener("click", () => item.actions[index][1]());
    return button;
  }
}
