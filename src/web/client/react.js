// wslock/react: a provider and hooks. What they give is read from the section at each render; a change of it renders again.

import { createContext, createElement, useCallback, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";

const Client = createContext(null);
const viewers = new WeakMap(); // section → how many mounted hooks watch it
const handlers = new WeakMap(); // section → {all, off}: all: a Set of save handlers, the newest last; off(): the section asks them no more
const leaving = new WeakMap(); // section → its leave() on the way

export function WslockProvider({ client, children }) {
  return createElement(Client.Provider, { value: client }, children);
}

export function useWslock() {
  const client = useContext(Client);
  if (!client) throw new Error("wslock/react: there is no <WslockProvider client={…}> around this component");
  useVersion(client);
  return client;
}

// A number that changes with what the client or the section tells.
function useVersion(source) {
  const version = useRef(0);
  const subscribe = useCallback((changed) => {
    version.current++; // what came since the render was told to nobody
    return source.on("change", () => {
      version.current++;
      changed();
    });
  }, [source]);
  const read = useCallback(() => version.current, []);
  return useSyncExternalStore(subscribe, read, read);
}

export function useSection(id, { onSave, leave = true } = {}) {
  const client = useContext(Client);
  if (!client) throw new Error("wslock/react: there is no <WslockProvider client={…}> around this component");
  const section = useMemo(() => client.section(id), [client, id]);
  const version = useVersion(section);
  const [error, setError] = useState(null);
  const save = useRef(onSave);
  useEffect(() => { save.current = onSave; });
  const saves = Boolean(onSave);
  useEffect(() => (saves ? handleSaves(section, (request) => save.current?.(request)) : undefined), [section, saves]);
  useEffect(() => {
    setError(null);
    return watch(section, leave, setError);
  }, [section, leave]);
  return useMemo(() => ({ ...snapshot(section), section, error: section.joined ? null : error }), [section, version, error]);
}

// The newest component that saves is asked; when it goes, the one before it.
function handleSaves(section, handler) {
  if (!handlers.has(section)) {
    const all = new Set();
    handlers.set(section, { all, off: section.onSave((request) => [...all].at(-1)(request)) });
  }
  const { all, off } = handlers.get(section);
  all.add(handler);
  return () => {
    all.delete(handler);
    if (all.size > 0) return;
    handlers.delete(section);
    off();
  };
}

// Joins while at least one component shows the section. React unmounts and mounts again in development: leaving waits for that.
function watch(section, leave, failed) {
  let isShown = true;
  viewers.set(section, (viewers.get(section) ?? 0) + 1);
  Promise.resolve(leaving.get(section)).then(() => isShown && section.view()).catch((error) => isShown && failed(error));
  return () => {
    isShown = false;
    viewers.set(section, viewers.get(section) - 1);
    setTimeout(() => {
      // Where it fails, the connection is gone, and with it the place.
      if (leave && viewers.get(section) === 0) leaving.set(section, section.leave().catch(() => {}));
    });
  };
}

function snapshot(section) {
  const {
    id, state, mayEdit, resuming, joined, lock, users, viewers: watching, policy, position, estimatedWait, turn, claimable, fence, ticket,
    previous, lastLoss, requests, asked, takeover, takingOver, dirty,
  } = section;
  return {
    id, state, mayEdit, resuming, joined, lock, users, viewers: watching, policy, position, estimatedWait, turn, claimable, fence, ticket,
    previous, lastLoss, requests, asked, takeover, takingOver, dirty,
  };
}

// section.countdown(), read again every `everyMs`.
export function useCountdown(section, everyMs = 1000) {
  if (!(everyMs > 0 && everyMs < 2 ** 31)) throw new TypeError("wslock/react: everyMs must be milliseconds above 0 and below 2^31");
  const [left, setLeft] = useState(() => section.countdown());
  useEffect(() => {
    const read = () => setLeft(section.countdown());
    read();
    const off = section.on("change", read);
    const timer = setInterval(read, everyMs);
    return () => {
      off();
      clearInterval(timer);
    };
  }, [section, everyMs]);
  return left;
}
