import type { Agent, IncomingMessage, ServerResponse } from 'node:http';

/** The ticket does not prove a grant of this resource to this user. */
export class TicketError extends Error {
  constructor(code: TicketError['code'], message: string);
  readonly code: 'TICKET_INVALID' | 'TICKET_EXPIRED' | 'OTHER_RESOURCE' | 'OTHER_USER';
  /** For HTTP. */
  readonly status: 401;
}

/** Nobody knows now whether the ticket is valid: the keys cannot be fetched. */
export class UnavailableError extends Error {
  constructor(message: string, retryAfterMs: number, cause?: unknown);
  readonly code: 'UNAVAILABLE';
  /** For HTTP. */
  readonly status: 503;
  /** When another attempt can have another result. */
  readonly retryAfterMs: number;
}

export interface TicketVerifierOptions {
  /** `https://HOST/.well-known/wslock-jwks.json` of a daemon. */
  keysUrl: string | URL;
  /** The age from which on the keys are fetched again, while the present ones are used. Default 300,000. */
  refreshMs?: number;
  /** The age from which on keys are not used. Default 3,600,000. */
  maxAgeMs?: number;
  /**
   * The least time between two requests that an unknown `kid` or a failed request causes. Default 5,000. An unknown `kid` is an
   * `UnavailableError` until the keys were requested after its ticket came.
   */
  cooldownMs?: number;
  /** The limit for one request. Default 5,000. Every option is below 2^31. */
  timeoutMs?: number;
  /** The limit for one reply. Default 65,536. */
  maxBytes?: number;
  /** How long after `exp` a ticket is accepted. Default 60,000. */
  clockToleranceMs?: number;
  /** For the requests, say with a CA of one's own. Default: a new connection each time. */
  agent?: Agent | false;
  /** Is told each failed request for keys. Default: `console.error`. */
  onError?: (error: Error) => void;
}

export interface Lock {
  /** `sub` */
  userId: string;
  /** `res`, in three parts */
  resourceId: string;
  /** The fencing token. */
  fence: number;
  /** `iat`, in milliseconds */
  issuedAt: number;
  /** `exp`, in milliseconds */
  expiresAt: number;
}

/** Checks tickets. One for each application: it keeps the keys. */
export class TicketVerifier {
  constructor(options: TicketVerifierOptions);
  /** Fetches the keys, so that the first save does not wait for them. Fails with `UnavailableError`. */
  prefetch(): Promise<void>;
  /**
   * Fails with `TicketError` or `UnavailableError`. `resourceId` may have two parts, as in `document:42`. Without
   * `userId` tickets of all users are accepted.
   */
  verify(ticket: string, expected: { resourceId: string; userId?: string | number }): Promise<Lock>;
}

export interface LockHandlerOptions<Request extends IncomingMessage = IncomingMessage> {
  tickets: Pick<TicketVerifier, 'verify'>;
  /** The resource that the request is about. */
  resourceId: (req: Request) => string;
  /** The user who is signed in; `undefined` or `null` is answered with 401. `null` in place of the function: any user. */
  userId: ((req: Request) => string | number | null | undefined) | null;
  /** Default: the header `Wslock-Ticket`. */
  ticket?: (req: Request) => string | undefined;
  /** Is told what the action threw when the answer is 503. Default: prints the error. */
  onError?: (error: unknown, req: Request) => void;
}

/** `saved` and `opened` are answered with 200, the others with 409. Further fields go into the answer. */
export interface ActionResult {
  outcome: 'saved' | 'opened' | 'stale' | 'conflict';
  [field: string]: unknown;
}

/**
 * A handler for Express and for `node:http`. `action` is called for a valid ticket. Errors that it throws are answered
 * with 503 and `Retry-After`, except those with a `status` from 400 to 499 and `expose: true`, as http-errors makes them:
 * they go to `next`, or are answered with that status where there is no `next`.
 */
export function lockHandler<Request extends IncomingMessage = IncomingMessage>(
  options: LockHandlerOptions<Request>,
  action: (lock: Lock, req: Request) => ActionResult | Promise<ActionResult>,
): (req: Request, res: ServerResponse, next?: (error?: unknown) => void) => Promise<void>;
