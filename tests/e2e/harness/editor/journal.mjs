/*
 * What a page believed and did, with times of one clock: that of the machine, also where a test has given the page another
 * one. Written at once into localStorage, where it outlives the page; a test takes it out there.
 */
const Clock = globalThis.TrueDate ?? Date;
const OPEN_MS = 200; // how old the written form of an open interval may be

export const now = () => Clock.now();

export class Journal {
  #about; // {resource, page, user}
  #count = 0;
  #open = null; // {from, to, fence}: the page was asked at both times, and whenever in between, and believed
  #written = 0;

  constructor(about) {
    this.#about = about;
  }

  note(what, more) {
    this.#write('journal', this.#count++, { at: now(), what, ...more });
  }

  // To be called often, and whenever something is done. mayEdit(): whether the page believes that it may edit.
  look(mayEdit, fence) {
    const at = now();
    const may = mayEdit();
    if (this.#open && (!may || fence !== this.#open.fence)) {
      this.note('believed', this.#open);
      localStorage.removeItem(this.#key('belief', 0));
      this.#open = null;
    }
    if (may) {
      this.#open ??= { from: at, fence };
      this.#open.to = at;
      if (at - this.#written >= OPEN_MS) this.flush();
    }
    return may;
  }

  // Before the page goes.
  flush() {
    if (!this.#open) return;
    this.#written = now();
    this.#write('belief', 0, { at: this.#written, what: 'believed', ...this.#open });
  }

  #key(kind, number) {
    return `${kind} ${this.#about.resource} ${this.#about.page} ${number}`;
  }

  #write(kind, number, entry) {
    localStorage.setItem(this.#key(kind, number), JSON.stringify({ ...entry, ...this.#about }));
  }
}
