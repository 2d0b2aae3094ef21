// Waits: with a time limit and the caller's AbortSignal, or with others for the same.

import { WslockError } from "./error.js";

// run(wait): a promise; wait.abandoned says later that nobody waits any more.
export function limit(platform, { signal, timeoutMs }, what, run) {
  const wait = { abandoned: false };
  return new Promise((resolve, reject) => {
    let timer;
    const end = () => {
      platform.clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    };
    const giveUp = (error) => {
      wait.abandoned = true;
      end();
      reject(error);
    };
    const onAbort = () => giveUp(signal.reason);
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    signal?.addEventListener("abort", onAbort);
    timer = platform.setTimeout(() => giveUp(new WslockError("TIMEOUT", `${what}: no answer in ${timeoutMs} ms`)), timeoutMs);
    run(wait).finally(end).then(resolve, reject);
  });
}

// Ends all waits of a Set or Map.
export function settle(waiters, how) {
  const all = [...waiters.values()];
  waiters.clear();
  all.forEach(how);
}
