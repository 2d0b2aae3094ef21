// The page: two people side by side, or with ?as=NAME one person alone; ?type=TYPE says what they edit.
import { KINDS, describePolicy } from "./kinds.js";
import { Pane } from "./pane.js";
import { SharedDocument } from "./document.js";

const PEOPLE = {
  anna: { id: "anna", name: "Dr. Anna Rossi" },
  bruno: { id: "bruno", name: "Nurse Bruno Weiss" },
  carla: { id: "carla", name: "Dr. Carla Meier" },
  dora: { id: "dora", name: "Dora Keller", admin: true },
};

const $ = (id) => document.getElementById(id);
const parameters = new URLSearchParams(location.search);
const alone = Object.hasOwn(PEOPLE, parameters.get("as")) ? PEOPLE[parameters.get("as")] : null;
const tabs = new Map();
let panes = [];
let kind;
let shared;

function open(person, after) {
  const number = (tabs.get(person.id) ?? 0) + 1;
  tabs.set(person.id, number);
  const pane = new Pane({
    person, number, kind, shared,
    onTwin: (who) => open(who, pane.root).root.querySelector("button:not([hidden])").focus(),
    onPolicy: (policy) => { $("policy").textContent = describePolicy(policy); },
  });
  if (after) after.after(pane.root);
  else $("panes").append(pane.root);
  panes.push(pane);
  return pane;
}

function show(next) {
  panes.forEach((pane) => pane.end());
  panes = [];
  tabs.clear();
  kind = next;
  shared = new SharedDocument(kind.resourceId, kind.text);
  $("policy").textContent = "";
  $("type").value = kind.type;
  for (const link of document.querySelectorAll("a[data-as]")) link.href = `?as=${link.dataset.as}&type=${kind.type}`;
  (alone ? [alone] : [PEOPLE.anna, PEOPLE.bruno]).forEach((person) => open(person));
}

for (const { type, option } of KINDS) $("type").append(new Option(option, type));
$("type").addEventListener("change", () => {
  parameters.set("type", $("type").value);
  history.replaceState(null, "", `?${parameters}`);
  show(KINDS.find(({ type }) => type === $("type").value));
});
if (alone) {
  document.title = `${alone.name} · wslockd`;
  $("more").hidden = true;
}
show(KINDS.find(({ type }) => type === parameters.get("type")) ?? KINDS[0]);
