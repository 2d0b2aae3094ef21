// Listeners by event. One that throws stops neither the others nor the library.

import { callback, fail } from "./error.js";

export class Emitter {
  #listeners;
  #problem;

  // problem(error): told what a listener of another event than `problem` has thrown.
  constructor(events, problem) {
    this.#listeners = new Map(events.map((event) => [event, new Set()]));
    this.#problem = problem;
  }

  on(event, listener) {
    const listeners = this.#listeners.get(event) ?? fail(`unknown event ${String(event)}`);
    listeners.add(callback("listener", listener));
    return () => this.off(event, listener);
  }

  get isUsed() { return [...this.#listeners.values()].some(({ size }) => size); }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  // An event that is not known here is one of a newer protocol, and told to nobody. Returns whether it was told to somebody.
  emit(event, data) {
    const listeners = [...(this.#listeners.get(event) ?? [])];
    for (const listener of listeners) {
      try {
        listener(data);
      } catch (error) {
        if (event === "problem") console.error(error);
        else this.#problem(error);
      }
    }
    return listeners.length > 0;
  }
}
