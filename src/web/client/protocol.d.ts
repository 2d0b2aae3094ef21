/** `wslock/protocol`: the closed sets of the protocol, for tools and tests. */

import type { ServerErrorCode, ServerEvents } from "./wslock.js";

/** Every event that the server sends, and who has it. */
export const EVENTS: Readonly<Record<keyof ServerEvents, "client" | "section">>;
/** Every request, with its direct replies beside `error`. */
export const REQUESTS: Readonly<Record<string, readonly (keyof ServerEvents)[]>>;
export const ERRORS: readonly ServerErrorCode[];
/** Close codes, and whether the client connects again by itself. */
export const CLOSES: Readonly<Record<number, boolean>>;
