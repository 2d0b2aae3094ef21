// Milliseconds that never go back, and go on while the computer sleeps: performance.now() stands still then in some browsers,
// and the wall clock may be set. A leap of the wall clock is taken for sleep: that ends a belief early, never late.

const LEAP_MS = 1000;

export class Clock {
  #platform;
  #slept = 0;
  #offset = null; // of the wall clock to the ticks: the least since the last leap

  constructor(platform) {
    this.#platform = platform;
  }

  now() {
    const ticks = this.#platform.performance.now();
    const offset = this.#platform.Date.now() - ticks;
    if (this.#offset === null || offset < this.#offset) this.#offset = offset;
    if (offset - this.#offset > LEAP_MS) {
      this.#slept += offset - this.#offset;
      this.#offset = offset;
    }
    return ticks + this.#slept;
  }

  // How long it is until then; null stays null.
  left(until) {
    return until === null ? null : Math.max(0, Math.round(until - this.now()));
  }
}
