/*
 * Loads what is shown again when it may have changed. Each reading is audited and costs the daemon work, so it is
 * not read more often than every few seconds, and only while somebody can see it.
 */
const LEAST_MS = 3000;
const RETRY_MS = 5000;
const MOST_MS = 30_000;
const PAUSE = 10; // times as long as the last reading took

export class Refresher {
  /* load(isLatest) gives false if it failed; isLatest() is false when a later reading has begun meanwhile. */
  constructor(load, isVisible) {
    Object.assign(this, { load, isVisible, pending: false, loading: 0, turn: 0, next: 0, oldest: 0 });
    setInterval(() => this.look(), 500);
  }
  /* Something that it shows may have changed. */
  changed() {
    this.pending = true;
    this.look();
  }
  look() {
    const now = Date.now();
    if (this.loading === 0 && now >= (this.pending ? this.next : this.oldest) && this.isVisible() && !document.hidden) this.now();
  }
  /* What was read is no longer wanted, nor is what is being read. The next look() reads again. */
  forget() {
    this.turn++;
    Object.assign(this, { pending: false, next: 0, oldest: 0 });
  }
  async now() {
    const [begun, turn] = [Date.now(), ++this.turn];
    this.pending = false;
    this.loading++;
    let ok = false;
    try {
      ok = await this.load(() => turn === this.turn);
    } finally {
      const end = Date.now();
      this.loading--;
      if (turn === this.turn) { // else a later reading sets them
        this.next = end + (ok ? Math.max(LEAST_MS, PAUSE * (end - begun)) : RETRY_MS);
        this.oldest = end + (ok ? Math.max(MOST_MS, PAUSE * (end - begun)) : RETRY_MS);
      }
    }
  }
}
