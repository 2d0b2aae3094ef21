// The page: two people side by side, or with ?as=NAME one person alone; ?type=TYPE says what they edit.
import { AdminView } from "./admin.js";
import { AuditStrip } from "./audit.js";
import { $, setText } from "./dom.js";
import { KINDS, describePolicy } from "./kinds.js";
import { Pane } from "./pane.js";
import { calling } from "./situation.js";
import { SharedDocument } from "./store.js";
import { Steps } from "./steps.js";

const PEOPLE = {
  anna: { id: "anna", name: "Dr. Anna Rossi" },
  bruno: { id: "bruno", name: "Nurse Bruno Weiss" },
  carla: { id: "carla", name: "Dr. Carla Meier" },
  dora: { id: "dora", name: "Dora Keller", admin: true },
};

const parameters = new URLSearchParams(location.search);
const alone = Object.hasOwn(PEOPLE, parameters.get("as")) ? PEOPLE[parameters.get("as")] : null;
const title = alone ? `${alone.name} · wslockd` : document.title;
const audit = new AuditStrip($("records"), $("no-records"));
const steps = new Steps($("steps"));
const admin = alone?.admin ? new AdminView($("overview"), (next) => {
  if (next !== kind) show(next);
  panes[0].startTakeover();
}) : null;
const tabs = new Map();
let panes = [];
let kind;
let store;

function open(person, after) {
  const number = (tabs.get(person.id) ?? 0) + 1;
  tabs.set(person.id, number);
  const pane = new Pane({ person, number, kind, store });
  pane.addEventListener("twin", () => open(person, pane.root).focus());
  pane.addEventListener("change", () => changed(pane));
  pane.tab.addEventListener("opened", () => opened(pane.tab));
  opened(pane.tab);
  if (after) after.after(pane.root);
  else $("panes").append(pane.root);
  panes.push(pane);
  return pane;
}

// Also after a reload: there is another client then.
function opened(tab) {
  audit.watch(tab);
  admin?.watch(tab);
}

function changed(pane) {
  steps.look(pane.tab);
  const { policy } = pane.tab.section;
  if (policy) setText($("policy"), describePolicy(policy));
  const call = panes.map(({ tab }) => calling(tab)).find((text) => text !== null);
  const next = call ? `(!) ${call} · wslockd` : title;
  if (document.title !== next) document.title = next;
}

function show(next) {
  panes.forEach((pane) => pane.end());
  panes = [];
  tabs.clear();
  store?.end();
  kind = next;
  store = new SharedDocument(kind.resourceId, kind.text);
  $("type").value = kind.type;
  parameters.set("type", kind.type);
  for (const link of document.querySelectorAll("a[data-as]")) link.href = `?as=${link.dataset.as}&type=${kind.type}`;
  for (const person of alone ? [alone] : [PEOPLE.anna, PEOPLE.bruno]) open(person);
}

for (const { type, option } of KINDS) $("type").append(new Option(option, type));
$("type").addEventListener("change", () => {
  show(KINDS.find(({ type }) => type === $("type").value));
  history.replaceState(null, "", `?${parameters}`);
});
if (alone) {
  document.title = title;
  $("steps").hidden = $("more-people").hidden = true;
  setText($("lead"), alone.admin ? "You are an administrator. You see every document, and may take a lock over: the reason is recorded." : `You are ${alone.name}.`);
}
$("admin").hidden = !admin;
show(KINDS.find(({ type }) => type === parameters.get("type")) ?? KINDS[0]);
