// The three things to try first. Each is ticked off when it has been done on this page.
import { element } from "./dom.js";

export class Steps {
  #items;
  #done = new Set();

  constructor(list) {
    this.#items = [...list.children];
  }

  look(tab) {
    if (tab.section.mayEdit) this.#tick(0);
    if (this.#saved(tab)) this.#tick(1);
    if (tab.network.state !== "up" && tab.section.fence !== null) this.#tick(2);
  }

  #saved({ store, section }) {
    return section.fence !== null && store.load().by !== null && store.load().fence === section.fence;
  }

  #tick(index) {
    if (this.#done.has(index)) return;
    this.#done.add(index);
    this.#items[index].classList.add("done");
    this.#items[index].append(element("span", { className: "tick", textContent: " Done" }));
  }
}
