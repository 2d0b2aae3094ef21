// How a lock changes hands, as one tab sees it: what the server says becomes a question, and the answer a
// request. Nothing is decided here; a question goes when the server says that it is over.

const CLOSED = {
  TIMEOUT: "was not answered in time",
  CANCELLED: "was withdrawn",
  LEFT: "is over: whoever asked has left",
  ADMIN_GONE: "is over: the administrator has left",
  OVERTAKEN: "is over: another administrator was faster",
};

const LEFT = {
  CLAIM_EXPIRED: "Your turn is over, because you did not take the lock in time.",
  ADMIN_RELEASED: "An administrator has ended your turn.",
};

export class Flows {
  // saved: saves what is unsaved, and returns the revision of what is saved, or null if that failed.
  constructor({ client, prompts, notice, saved }) {
    Object.assign(this, { client, prompts, notice, saved });
    this.deadlines = new Map();
  }

  handle(event, data, reply) {
    const on = {
      "resource:joined": () => this.prompts.dropAll("flow:"), // what waits for this tab comes after it
      "lock:queued": () => this.#queued(data),
      "lock:queue_left": () => this.#queueLeft(data, reply),
      "lock:your_turn": () => this.#turn(data),
      "lock:available": () => this.#turn(data),
      "lock:requested": () => this.#asked(data),
      "lock:request_timeout": () => this.#refused(data),
      "lock:request_cancelled": () => this.prompts.drop("flow:asked"),
      "lock:request_received": () => this.#received(data),
      "lock:request_replied": () => this.#replied(data),
      "lock:request_closed": () => this.#closed(`flow:answer:${data.requestId}`, "The request", data.outcome),
      "lock:holder_disconnected": () => this.#vanished(data),
      "lock:takeover_pending": () => this.#pending(data),
      "lock:takeover_denied": () => this.#pendingDenied(data),
      "lock:takeover_cancelled": () => this.prompts.drop("flow:pending"),
      "lock:takeover_requested": () => this.#takeover(data),
      "lock:takeover_replied": () => this.#takeoverReplied(data),
      "lock:takeover_closed": () => this.#takeoverClosed(data),
      "lock:taken_by_admin": () => this.notice(`${data.adminUsername} (administrator) has taken the lock: “${data.reason}”.`),
      "lock:acquired": () => this.#acquired(),
      "lock:lost": () => this.#lost(),
      "lock:state": () => this.#state(data.lock),
      "closed": () => this.prompts.dropAll("flow:"),
    };
    on[event]?.();
  }

  get waiting() { return this.prompts.has("flow:queue") || this.prompts.has("flow:turn"); }
  get asking() { return this.prompts.has("flow:asked"); }

  #deadline(at, serverTime) {
    return performance.now() + (at - serverTime);
  }

  // Not what the new holder is asked: that may have come before.
  #acquired() {
    for (const key of ["queue", "turn", "asked", "pending", "claim"]) this.prompts.drop(`flow:${key}`);
  }

  #queued({ position, estimatedWait }) {
    this.prompts.show("flow:queue", {
      title: "Queue",
      text: `You are number ${position} in the queue${estimatedWait ? `, about ${estimatedWait}` : ""}.`,
      actions: [["Leave the queue", () => this.client.leaveQueue()]],
    });
  }

  #queueLeft({ reason }, reply) {
    const turn = this.prompts.has("flow:turn");
    this.prompts.drop("flow:queue");
    this.prompts.drop("flow:turn");
    if (turn) this.prompts.drop("flow:asked");
    if (!reply) this.notice(LEFT[reason] ?? "You are not waiting any more.");
  }

  #turn({ claimBy, serverTime }) {
    this.prompts.drop("flow:queue");
    this.prompts.drop("flow:asked");
    this.prompts.show("flow:turn", {
      title: "Your turn", text: "It is your turn: the lock is kept for you.", until: this.#deadline(claimBy, serverTime),
      actions: [["Take the lock", () => this.client.claim()], ["No, thanks", () => this.client.release()]],
    });
  }

  #asked({ requestId, expiresAt, serverTime, holderState }) {
    if (this.prompts.has("flow:turn")) return; // which came before the answer
    this.asked = { requestId, until: expiresAt === null ? null : this.#deadline(expiresAt, serverTime) };
    this.#showAsked(holderState);
  }

  #showAsked(holderState) {
    const { requestId, until } = this.asked;
    this.prompts.show("flow:asked", {
      title: "Your request",
      text: until === null ? "Your request is granted: you get the lock next." : {
        grace: "Whoever edits was cut off and cannot answer: you get the lock if nobody comes back.",
        reserved: "You have asked for the lock; somebody else is about to edit.",
      }[holderState] ?? "You have asked for the lock.",
      until,
      actions: [["Withdraw", () => this.client.withdraw(requestId)]],
    });
  }

  #refused({ reason, message }) {
    this.prompts.drop("flow:asked");
    this.notice(reason === "DENIED" ? `Your request was refused: ${message}.` : `No answer to your request: ${message}.`);
  }

  #received({ requestId, from, message, expiresAt, serverTime }) {
    const answer = (action) => () => this.client.answer(requestId, action);
    this.prompts.show(`flow:answer:${requestId}`, {
      title: `Request from ${from}`, text: `${from} asks you for the lock.`, quote: message,
      until: this.#deadline(expiresAt, serverTime),
      actions: [
        ["Save and hand over", () => this.#withRevision((revision) => this.client.answer(requestId, "APPROVE", revision))],
        ["Not now", answer("DENY")], ["Ignore", answer("IGNORE")],
      ],
    });
  }

  #replied({ requestId }) {
    this.prompts.drop(`flow:answer:${requestId}`);
  }

  #vanished({ holderUsername, graceUntil, serverTime }) {
    this.prompts.show("flow:claim", {
      title: "Connection lost", text: `${holderUsername} was cut off. You may claim the lock, or wait.`,
      until: this.#deadline(graceUntil, serverTime),
      actions: [["Claim now", () => this.client.claim()], ["Wait", () => this.prompts.drop("flow:claim")]],
    });
  }

  #pending({ requestId, forceAt, serverTime }) {
    this.deadlines.set(requestId, this.#deadline(forceAt, serverTime));
    this.#showPending(requestId, "Whoever edits has been told to save. Then the lock is yours.");
  }

  #pendingDenied({ requestId, by }) {
    this.#showPending(requestId, `${by} refuses. The lock is yours all the same when the time is over, unless you cancel.`);
  }

  #showPending(requestId, text) {
    this.prompts.show("flow:pending", {
      title: "Takeover", text, until: this.deadlines.get(requestId),
      actions: [["Cancel the takeover", () => this.client.cancelTakeover(requestId)]],
    });
  }

  #takeover({ requestId, from, reason, forceAt, serverTime }) {
    const until = this.#deadline(forceAt, serverTime);
    this.deadlines.set(requestId, until);
    this.prompts.show("flow:takeover", {
      title: `Takeover by ${from}`, text: `${from} (administrator) takes over. Save before the time is over.`, quote: reason, until,
      actions: [
        ["Save and hand over", () => this.#withRevision((revision) => this.client.answerTakeover(requestId, "APPROVE", revision))],
        ["Refuse", () => this.client.answerTakeover(requestId, "DENY")],
      ],
    });
  }

  #takeoverReplied({ requestId, action }) {
    if (action !== "DENY") return;
    this.prompts.show("flow:takeover", {
      title: "Takeover", text: "You have refused. The administrator gets the lock all the same when the time is over: save.",
      until: this.deadlines.get(requestId),
      actions: [["Save and hand over", () => this.#withRevision((revision) => this.client.answerTakeover(requestId, "APPROVE", revision))]],
    });
  }

  #takeoverClosed({ outcome }) {
    this.#closed("flow:takeover", "The takeover", outcome);
    this.#closed("flow:pending", "Your takeover", outcome);
  }

  #closed(key, what, outcome) {
    if (!this.prompts.has(key)) return;
    this.prompts.drop(key);
    this.notice(`${what} ${CLOSED[outcome] ?? "is over"}.`);
  }

  #lost() {
    this.prompts.dropAll("flow:answer:");
    this.prompts.drop("flow:takeover");
  }

  #state(lock) {
    if (this.asking) this.#showAsked(lock.state);
    if (lock.state !== "grace") this.prompts.drop("flow:claim");
    if (lock.state !== "reserved" || lock.reservedFor.userId !== this.client.user) this.prompts.drop("flow:turn");
  }

  #withRevision(action) {
    const revision = this.saved();
    if (revision !== null) action(revision);
  }
}
