// What a tab has to say, worked out from how things stand: a message is there as long as its reason is, and no longer.
// Each is {key, severity: info | warning | problem, title, text?, quote?, left?: () => ms, actions?: [{label, run}], versions?}.
import { CLOSE, LOSS, wordsOf } from "./words.js";
import { nameOf } from "./situation.js";

export function messagesOf(tab) {
  if (tab.closed) return draftMessages(tab);
  const { connected } = tab;
  return [
    ...connection(tab), ...saving(tab),
    ...(connected ? [...ofOthers(tab), ...attempt(tab), ...loss(tab)] : []),
    ...draftMessages(tab),
  ];
}

// Without its store the server would refuse every answer.
function ofOthers(tab) {
  const messages = [...takeover(tab), ...requests(tab), ...turn(tab), ...waiting(tab), ...takingOver(tab)];
  return tab.client.degraded ? messages.map((message) => ({ ...message, actions: undefined })) : messages;
}

// ---- the connection ----

function connection(tab) {
  const { client, section } = tab;
  if (tab.closedBy !== null) return [ended(tab)];
  if (section.state === "unconfirmed") {
    return [{
      key: "unconfirmed", severity: "warning", title: "Connection lost: go on, for now.",
      text: "Nobody else can get the lock before this time is over. What you type is kept in this browser.",
      left: () => section.countdown(),
    }];
  }
  if (!tab.connected) return tab.everConnected || tab.problem ? [offline(tab)] : [];
  if (client.degraded) return [{ key: "degraded", severity: "warning", title: "The server has lost its store.", text: "Nothing is granted until it is back." }];
  if (section.resuming && tab.lastFence > 0) return [{ key: "resuming", severity: "warning", title: "Editing has stopped: nobody confirms your lock.", text: "What you typed is kept. You go on as soon as the server answers." }];
  return [];
}

function ended(tab) {
  return {
    key: "ended", severity: "problem", title: CLOSE[tab.closedBy] ?? "The connection was ended.",
    actions: [{ label: "Connect again", run: () => tab.reload() }],
  };
}

function offline(tab) {
  if (tab.section.resuming) {
    return {
      key: "offline", severity: "problem", title: "Connection lost: editing has stopped.",
      text: "Somebody else may have the lock by now. What you typed is kept. You are told as soon as the connection is back.",
    };
  }
  const why = tab.problem?.code && tab.network.state === "up" ? ` ${wordsOf(tab.problem.code)}` : "";
  return { key: "offline", severity: "warning", title: "No connection.", text: `What you see may be old. Trying again.${why}` };
}

// ---- the text ----

const SAVE_PROBLEM = {
  STALE_FENCE: "Somebody with a newer lock has been editing since. The store refuses your fencing token.",
  STORAGE: "This browser's storage is full.",
};

function saving(tab) {
  const messages = [];
  if (tab.saveProblem) {
    messages.push({ key: "save", severity: "problem", title: "Not saved.", text: `${SAVE_PROBLEM[tab.saveProblem]} Your text is still here.` });
  } else if (tab.dirty && !tab.draftKept) {
    messages.push({ key: "storage", severity: "warning", title: "This browser has no room left.", text: "What you type is kept only while this page is open. Save often." });
  }
  if (tab.restored && tab.dirty) {
    messages.push({ key: "restored", severity: "info", title: "Your unsaved text is back.", text: "It was kept over the reload, under the same lock." });
  }
  return messages;
}

// ---- others ----

const finishing = (tab, run) => () => tab.finish(run);
const answering = (tab, run) => () => tab.ask(run);

function takeover(tab) {
  const open = tab.section.takeover;
  if (!open) return [];
  const { requestId } = open;
  const approve = { label: "Save and hand over", run: finishing(tab, (section, saved) => section.answerTakeover(requestId, "APPROVE", saved)) };
  const deny = { label: "Refuse", run: answering(tab, (section) => section.answerTakeover(requestId, "DENY")) };
  return [{
    key: `takeover:${requestId}`, severity: "warning", quote: open.reason, left: open.remainingMs,
    title: open.denied ? `You have refused. ${open.from} gets the lock all the same.` : `${open.from} (administrator) takes over.`,
    text: "Save before the time is over.",
    actions: open.denied ? [approve] : [approve, deny],
  }];
}

function requests(tab) {
  return tab.section.requests.map(({ requestId, from, message, remainingMs }) => ({
    key: `request:${requestId}`, severity: "info", title: `${from} asks you for the lock.`, quote: message, left: remainingMs,
    actions: [
      { label: "Save and hand over", run: finishing(tab, (section, saved) => section.answerRequest(requestId, "APPROVE", saved)) },
      { label: "Not now", run: answering(tab, (section) => section.answerRequest(requestId, "DENY")) },
      { label: "Ignore", run: answering(tab, (section) => section.answerRequest(requestId, "IGNORE")) },
    ],
  }));
}

// ---- getting the lock ----

function turn(tab) {
  const { section } = tab;
  if (section.turn) {
    return [{
      key: "turn", severity: "info", title: "It is your turn.", text: "The lock is kept for you.", left: () => section.countdown(),
      actions: [
        { label: "Start editing", run: answering(tab, () => section.claim()) },
        { label: "No, thanks", run: answering(tab, () => section.release()) },
      ],
    }];
  }
  const { lock } = section;
  const key = `claim:${lock.since}`;
  if (!section.claimable || lock.mine || tab.elsewhere || tab.dismissed.has(key) || (section.position ?? 1) > 1) return [];
  return [{
    key, severity: "info", title: `${nameOf(lock.holder)} was cut off. You may take the lock.`, left: () => section.countdown(),
    text: "Or wait, for who was cut off may come back.",
    actions: [
      { label: "Take the lock", run: answering(tab, () => section.claim()) },
      { label: "Wait", run: () => tab.dismiss(key) },
    ],
  }];
}

const ASKED = {
  grace: "Whoever edits was cut off and cannot answer. You get the lock if nobody comes back.",
  reserved: "Somebody else has the next turn.",
};

function waiting(tab) {
  const { asked, position, estimatedWait, lock } = tab.section;
  if (asked) {
    return [{
      key: `asked:${asked.requestId}`, severity: "info", left: asked.remainingMs,
      title: asked.remainingMs() === null ? "Your request is granted: you are next." : `You have asked ${nameOf(lock.holder ?? lock.reservedFor)} for the lock.`,
      text: ASKED[asked.holderState],
      actions: [{ label: "Withdraw", run: answering(tab, (section) => section.cancelRequest()) }],
    }];
  }
  if (position === null) return [];
  return [{
    key: "queue", severity: "info", title: `You are number ${position} in the queue${estimatedWait ? `, about ${estimatedWait}` : ""}.`,
    actions: [{ label: "Leave the queue", run: answering(tab, (section) => section.leaveQueue()) }],
  }];
}

function takingOver(tab) {
  const open = tab.section.takingOver;
  if (!open) return [];
  return [{
    key: `taking:${open.requestId}`, severity: open.deniedBy ? "warning" : "info", left: open.remainingMs,
    title: open.deniedBy ? `${open.deniedBy} refuses.` : "Whoever edits is told to save.",
    text: "The lock is yours when the time is over, or before.",
    actions: [{ label: "Cancel the takeover", run: answering(tab, (section) => section.cancelTakeover()) }],
  }];
}

// ---- how it went ----

const OUTCOME = {
  DENIED: ["info", "Your request was refused."],
  TIMEOUT: ["info", "Your request was not answered in time."],
  CLAIM_EXPIRED: ["warning", "Your turn is over: you did not take the lock in time."],
  ADMIN_RELEASED: ["warning", "An administrator has ended your turn."],
  REQUEST_TIMEOUT: ["info", "The request for the lock is over: it was not answered in time."],
  REQUEST_CANCELLED: ["info", "The request for the lock was withdrawn."],
  REQUEST_LEFT: ["info", "The request for the lock is over: whoever asked has left."],
  TAKEOVER_CANCELLED: ["info", "The takeover was cancelled."],
  TAKEOVER_ADMIN_GONE: ["info", "The takeover is over: the administrator has left."],
  TAKEOVER_OVERTAKEN: ["info", "Another administrator was faster."],
};

function attempt(tab) {
  if (!tab.attempt) return [];
  const { code, detail, kind } = tab.attempt;
  const [severity, title] = OUTCOME[kind === "outcome" ? code : ""] ?? ["warning", wordsOf(code)];
  return [{ key: `attempt:${code}`, severity, title, text: detail, actions: [dismissal(tab, () => { tab.attempt = null; })] }];
}

function loss(tab) {
  const { lastLoss, mayEdit, turn: isTurn } = tab.section;
  if (!lastLoss || lastLoss.reason === "RELEASED" || lastLoss.fence < tab.lastFence || mayEdit || isTurn) return [];
  const key = `loss:${lastLoss.fence}`;
  if (tab.dismissed.has(key)) return [];
  const [severity, words] = LOSS[lastLoss.reason] ?? ["warning", `Your lock has ended (${lastLoss.reason}).`];
  if (severity === "info" && (tab.lossSituation ?? tab.situation) !== tab.situation) return []; // wanted so: no news any more
  const { takenBy } = tab;
  const taken = lastLoss.reason === "TAKEN_BY_ADMIN" && takenBy;
  return [{
    key, severity, title: taken ? `${takenBy.name} (administrator) has taken the lock.` : words, quote: taken ? takenBy.reason : undefined,
    actions: [dismissal(tab, () => tab.dismissed.add(key))],
  }];
}

function dismissal(tab, run) {
  return { label: "Dismiss", run: () => { run(); tab.dismiss(""); } };
}

// ---- what was typed and not saved ----

function draftMessages(tab) {
  return tab.drafts().map((draft) => (tab.comparing === draft.id && tab.section.mayEdit ? compared(tab, draft) : kept(tab, draft)));
}

function kept(tab, draft) {
  const mine = tab.section.mayEdit;
  const back = { label: "Put it back", run: () => tab.putBack(draft) };
  const discard = { label: "Discard it", run: () => tab.discard(draft) };
  return {
    key: `draft:${draft.id}`, severity: "info", title: "What you typed and did not save is kept.", quote: draft.text,
    text: mine ? undefined : "Edit again to put it back.", actions: mine ? [back, discard] : [discard],
  };
}

// Nothing is overwritten by one click: both are shown, and whoever wrote them decides.
function compared(tab, draft) {
  const now = tab.store.load();
  const add = { label: "Add mine below", run: () => tab.useDraft(draft, `${tab.text}\n${draft.text}`) };
  const replace = { label: "Use mine", run: () => tab.useDraft(draft, draft.text) };
  const discard = { label: tab.dirty ? "Keep what I am writing" : "Keep the saved text", run: () => tab.discard(draft) };
  return {
    key: `draft:${draft.id}`, severity: "warning",
    title: tab.dirty ? "You are writing something else now. Which text is right?" : "The text has changed since. Which text is right?",
    versions: [
      { name: `Mine, not saved (written on ${draft.baseRevision})`, text: draft.text },
      tab.dirty ? { name: "In the editor now", text: tab.text } : { name: `Saved by ${now.by ?? "the page"} (${now.revision})`, text: now.text },
    ],
    actions: tab.dirty ? [add, discard] : [replace, add, discard],
  };
}
