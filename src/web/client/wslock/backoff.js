// Full jitter: anything from nothing to a bound that doubles. Clients that were cut off together do not come back together.

export const FIRST_MS = 1000;
const MAX_MS = 30_000;

export function backoff(platform, attempt) {
  return platform.random() * Math.min(MAX_MS, FIRST_MS * 2 ** attempt);
}
