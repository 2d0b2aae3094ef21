// The page: two people side by side, or with ?as=NAME one person alone.
import { Pane } from "./pane.js";

const RESOURCE = "document:report-17:findings";
const PEOPLE = {
  anna: { id: "anna", name: "Dr. Anna Rossi" },
  bruno: { id: "bruno", name: "Nurse Bruno Weiss" },
  carla: { id: "carla", name: "Dr. Carla Meier" },
};

const tabs = new Map();

function open(person, after) {
  const number = (tabs.get(person.id) ?? 0) + 1;
  tabs.set(person.id, number);
  const pane = new Pane({
    person, number, resourceId: RESOURCE,
    onTwin: (who) => open(who, pane.root).root.querySelector("button:not([hidden])").focus(),
  });
  if (after) after.after(pane.root);
  else document.getElementById("panes").append(pane.root);
  return pane;
}

const alone = new URLSearchParams(location.search).get("as");
if (alone && PEOPLE[alone]) {
  document.getElementById("third").hidden = true;
  document.title = `${PEOPLE[alone].name} · wslockd`;
  open(PEOPLE[alone]);
} else {
  open(PEOPLE.anna);
  open(PEOPLE.bruno);
}
