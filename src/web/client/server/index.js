/*
 * wslock/server: what an application's save handler needs. It checks lock tickets with the daemon's public keys and
 * answers requests. See docs/saving-safely.md.
 */
export { TicketError, UnavailableError } from './errors.js';
export { lockHandler } from './handler.js';
export { TicketVerifier } from './tickets.js';
