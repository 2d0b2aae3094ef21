// How things stand in one tab: the line above the text, and which controls it offers. A control that would be refused is not offered.

import { durationText } from "./kinds.js";

const HELD = new Set(["held", "grace"]);

function nameOf(person) {
  return person?.username ?? person?.userId ?? "somebody";
}

function waiting({ queueLength }) {
  return queueLength ? ` ${queueLength} waiting.` : "";
}

// {look, text, left?}: look: mine, doubt, other, free or away; left(): ms that are left of it.
export function standing(tab) {
  const { section } = tab;
  if (tab.closed) return { look: "away", text: "This tab is closed." };
  if (section.state === "editing") return { look: "mine", text: "You are editing." };
  if (section.state === "unconfirmed") return { look: "doubt", text: "You are editing, and the lock is not confirmed." };
  if (!tab.connected) return { look: "away", text: tab.closedBy !== null ? "Not connected." : "Connecting…" };
  return ofLock(tab, section);
}

function ofLock(tab, { lock, turn, countdown }) {
  const left = () => tab.section.countdown();
  if (lock.state === "free") return { look: "free", text: "Nobody is editing." };
  if (tab.section.resuming) return { look: "away", text: "Asking the server…" };
  if (tab.elsewhere) return { look: "other", text: "You are editing in another tab." };
  if (lock.state === "held") return { look: "other", text: `${nameOf(lock.holder)} is editing${lock.dirty ? " (unsaved changes)" : ""}.${waiting(lock)}` };
  if (lock.state === "grace") return { look: "other", text: `${nameOf(lock.holder)} was cut off. The lock is kept.${waiting(lock)}`, left };
  if (turn) return { look: "free", text: "The lock is kept for you." };
  if (lock.state === "reserved") return { look: "other", text: `It is the turn of ${nameOf(lock.reservedFor)}.${waiting(lock)}`, left };
  return { look: "away", text: "…" };
}

// Names of the controls that are offered now.
export function offered(tab) {
  const { section, client } = tab;
  const names = new Set();
  if (tab.closed) return names;
  if (section.mayEdit) names.add("save");
  if (section.state === "editing" && tab.connected && !client.degraded) names.add("release");
  if (section.mayEdit || !tab.connected || client.degraded || section.resuming) return names;
  addWays(tab, names);
  return names;
}

function addWays(tab, names) {
  const { lock, policy, position, turn, asked } = tab.section;
  const isOthers = HELD.has(lock.state) || lock.state === "reserved";
  const isWaiting = position !== null || turn || asked !== null;
  const isOwnTurn = lock.state === "reserved" && lock.reservedFor.userId === tab.person.id && !turn; // in another tab
  if (lock.state === "free" || isOwnTurn) names.add("edit");
  else if (tab.elsewhere) names.add("move");
  else if (isOthers && !isWaiting && policy.upgrade === "queue") names.add("queue");
  const mayAsk = policy.requests || policy.upgrade === "request";
  if (isOthers && mayAsk && !tab.elsewhere && !turn && asked === null) names.add("request");
  if (mayTakeOver(tab, tab.section)) names.add("takeover");
}

// Of any section of the tab's client.
export function mayTakeOver({ client, person, connected }, section) {
  const { lock, policy, joined, turn, takingOver, mayEdit, resuming } = section;
  if (!client.user?.admin || !connected || client.degraded || !joined || mayEdit || resuming) return false;
  if (policy.takeover === "never" || takingOver !== null || turn) return false;
  return HELD.has(lock.state) ? lock.holder.userId !== person.id : lock.state === "reserved";
}

// What the simulated fault is.
export function faultHint({ network, away, closed, section }) {
  if (closed) return "The tab left on purpose: its lock ended at once.";
  if (network.state === "cut") return "The connection has ended, and no new one can be made.";
  if (network.state === "silent") return "Nothing goes through, and nobody is told: neither the page nor the server.";
  if (away) return `Nobody is there: without heartbeats the lock ends after ${durationText(section.policy?.ttlMs ?? 0)}.`;
  return "What becomes of the lock when something breaks?";
}

// What a window's title says, of whatever in it wants an answer: null if nothing does.
export function calling(tab) {
  const { section, person } = tab;
  if (tab.closed || !tab.connected) return null;
  if (section.takeover) return `${section.takeover.from} takes over`;
  if (section.turn) return `Your turn, ${person.name}`;
  if (section.requests.length) return `${section.requests[0].from} asks ${person.name}`;
  return null;
}

export { nameOf };
