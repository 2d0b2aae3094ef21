/*
 * The errors of a ticket check. Both have a `code` for programs and a `status` for HTTP.
 */

/** The ticket does not prove a grant of this resource to this user. HTTP status 401. */
export class TicketError extends Error {
  /** code: "TICKET_INVALID", "TICKET_EXPIRED", "OTHER_RESOURCE" or "OTHER_USER". */
  constructor(code, message) {
    super(message);
    this.name = 'TicketError';
    this.code = code;
    this.status = 401;
  }
}

/** Nobody knows now whether the ticket is valid: the keys cannot be had. HTTP status 503. */
export class UnavailableError extends Error {
  /** retryAfterMs: when another attempt can have another result. */
  constructor(message, retryAfterMs, cause) {
    super(message, { cause });
    this.name = 'UnavailableError';
    this.code = 'UNAVAILABLE';
    this.status = 503;
    this.retryAfterMs = retryAfterMs;
  }
}
