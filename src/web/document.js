// The document of the demo, kept in this browser. Stands for an application's store: it remembers the
// highest fencing token that it has seen, and refuses to be written with a lower one.

const KEY = "wslock-demo:document";
const EMPTY = { text: "Chest X-ray, 12 March: no infiltrates.", fence: 0, revision: "r1" };
const listeners = new Set();

export function loadDocument() {
  try {
    return { ...EMPTY, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return EMPTY;
  }
}

export function saveDocument(text, fence) {
  const now = loadDocument();
  if (!fence || fence < now.fence) return false;
  const revision = `r${Number(now.revision.slice(1)) + 1}`;
  localStorage.setItem(KEY, JSON.stringify({ text, fence, revision }));
  listeners.forEach((listener) => listener());
  return true;
}

export function onDocumentChanged(listener) {
  listeners.add(listener);
}

window.addEventListener("storage", (event) => {
  if (event.key === KEY) listeners.forEach((listener) => listener());
});
