// Full jitter: anything from nothing to a bound that doubles. Clients that were cut off together do not come back together.

const FIRST_MS = 1000;
const MAX_MS = 30_000;

export function backoff(platform, attempt, ...most) {
  return platform.random() * Math.min(...most, MAX_MS, FIRST_MS * 2 ** Math.min(attempt, 16));
}
