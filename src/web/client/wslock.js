// wslock: edit locks over WebSocket. README.md describes the methods, wslock.d.ts their types.

export { WslockClient } from "./wslock/client.js";
export { Section } from "./wslock/section.js";
export { WslockError } from "./wslock/error.js";
