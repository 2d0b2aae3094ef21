// What can be edited: one document of each type that --dev configures, so that each way in which a lock
// changes hands can be seen. What the server really does says the policy that it sends.

export const KINDS = [
  {
    type: "document", resourceId: "document:report-17:findings", label: "Findings",
    text: "Chest X-ray, 12 March: no infiltrates.",
    option: "Document: whoever comes second is told",
  },
  {
    type: "patient-chart", resourceId: "patient-chart:p-204:anamnesis", label: "Anamnesis",
    text: "Allergic to penicillin.",
    option: "Patient chart: people queue",
  },
  {
    type: "operation-report", resourceId: "operation-report:op-31:course", label: "Course",
    text: "Start 08:10. General anaesthesia.",
    option: "Operation report: ask whoever edits",
  },
  {
    type: "care-plan", resourceId: "care-plan:ward-3:tonight", label: "Plan",
    text: "Room 4: check blood pressure at 22:00.",
    option: "Care plan: anybody may step in when a connection breaks",
  },
  {
    type: "prescription", resourceId: "prescription:p-204:current", label: "Prescription",
    text: "Ibuprofen 400 mg, three times a day.",
    option: "Prescription: an administrator takes over at once",
  },
];

const HELD = {
  deny: "whoever comes second is told who edits",
  queue: "people queue, and each is given a turn",
  request: "one asks the person who edits",
};
const BROKEN = {
  release: () => "the lock ends at once",
  grace: (p) => `the lock is kept for ${durationText(p.gracePeriodMs)}`,
  prompt: (p) => `the lock is kept for ${durationText(p.gracePeriodMs)}, unless somebody claims it`,
};
const TAKEOVER = {
  never: () => "cannot take over",
  immediate: () => "takes over at once",
  request: (p) => `takes over after ${durationText(p.takeoverTimeoutMs)}, or at once if it is urgent and the type allows that`,
};

export function describePolicy(p) {
  const asking = p.requests && p.upgrade !== "request" ? ", and may ask that person" : "";
  return `While somebody edits, ${HELD[p.upgrade]}${asking}. When a connection breaks, ${BROKEN[p.disconnect](p)}. ` +
    `Without heartbeats the lock ends after ${durationText(p.ttlMs)}. An administrator ${TAKEOVER[p.takeover](p)}.`;
}

export function durationText(ms) {
  return ms >= 60_000 && ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
}
