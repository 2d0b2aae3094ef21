import { createRoot } from "react-dom/client";
import { useState } from "react";
import { WslockProvider, useCountdown, useSection, useWslock } from "wslock/react";
import { ERRORS, EVENTS } from "wslock/protocol";
import { Editor, makeClient } from "./editor.js";

function Who() {
  const client = useWslock();
  return <small>{client.user?.username ?? "…"} {client.degraded && "(read only)"}</small>;
}

function Findings() {
  const { section, state, lock, users, requests, turn, error } = useSection("document:4711:findings", {
    onSave: ({ cause, remainingMs }) => console.info(cause, remainingMs()),
  });
  const left = useCountdown(section);
  const [text, setText] = useState("");
  if (error) return <p>{error.code}</p>;
  return (
    <section>
      <h1>{state}: {lock.holder?.username} {left !== null && Math.round(left / 1000)}</h1>
      <textarea value={text} readOnly={state === "reading"} onChange={(event) => setText(event.target.value)} />
      <button onClick={() => void (turn ? section.claim() : section.edit()).catch(() => {})}>Edit</button>
      {requests.map(({ requestId, from, message }) => <p key={requestId}>{from}: {message}</p>)}
      <p>{users.map((user) => user.username).join(", ")}, {Object.keys(EVENTS).length} events, {ERRORS.length} errors</p>
    </section>
  );
}

const client = makeClient();
new Editor(client, document.createElement("textarea"), confirm);
createRoot(document.getElementById("root")!).render(<WslockProvider client={client}><Who /><Findings /></WslockProvider>);
