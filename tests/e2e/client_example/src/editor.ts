// A text field under a lock, without a framework.
import { WslockClient, WslockError } from "wslock";
import type { Draft, Section, SaveRequest } from "wslock";

interface Stored { revision: string; text: string }

export function makeClient(): WslockClient {
  const client = new WslockClient({
    url: "wss://locks.example.org/ws",
    getToken: async ({ reason, signal }) => {
      const answer = await fetch(`/token?reason=${reason}`, { signal });
      return await answer.text();
    },
    activity: "input",
  });
  client.on("problem", ({ error }) => console.warn(error.message));
  client.on("connection", ({ state, retryInMs }) => console.info(state, retryInMs?.toFixed()));
  return client;
}

export class Editor {
  #section: Section;
  #revision = "";

  constructor(client: WslockClient, private field: HTMLTextAreaElement, private ask: (text: string) => boolean) {
    this.#section = client.section("document:4711:findings");
    this.#section.on("state", ({ state }) => { field.readOnly = state === "reading"; });
    this.#section.on("granted", ({ resumed }) => resumed || void this.load());
    this.#section.on("lost", ({ reason, by }) => console.info(`the lock is gone: ${reason} ${by ?? ""}`));
    this.#section.on("lock:state", ({ lock, cause }) => console.info(lock.holder?.username, cause));
    this.#section.onSave((request) => this.save(request));
    field.addEventListener("beforeinput", (event) => { if (!this.#section.mayEdit) event.preventDefault(); });
    field.addEventListener("input", () => this.#section.keepDraft(field.value, this.#revision));
  }

  async edit(signal: AbortSignal): Promise<string> {
    try {
      const result = await this.#section.edit({ signal });
      return result.outcome === "queued" ? `number ${result.position}` : `fence ${result.fence}`;
    } catch (error) {
      if (!(error instanceof WslockError)) throw error;
      switch (error.code) {
        case "HELD": return `${error.data.currentHolder} is editing`;
        case "HELD_BY_YOU": return (await this.#section.edit({ takeOwn: true })).outcome;
        default: return error.retryAfterMs === null ? error.message : `again in ${error.retryAfterMs} ms`;
      }
    }
  }

  async load(): Promise<void> {
    const stored = await (await fetch("/text")).json() as Stored;
    this.#revision = stored.revision;
    const [draft] = this.#section.drafts();
    this.field.value = draft ? this.#choose(draft, stored) : stored.text;
  }

  #choose(draft: Draft, stored: Stored): string {
    const compared = draft.compare(stored);
    if (compared.outcome === "identical") draft.discard();
    if (compared.outcome !== "conflict") return compared.text;
    return this.ask(`${compared.draft.text}\n---\n${compared.current.text}`) ? compared.draft.text : compared.current.text;
  }

  async save(request?: SaveRequest): Promise<void> {
    const text = this.field.value;
    if (this.#section.ticket === null) console.info((await this.#section.renew({ timeoutMs: 5000 })).ticket);
    const answer = await fetch("/text", {
      method: "PUT", body: text, keepalive: request?.cause === "unload", signal: request?.signal ?? null,
      headers: { "X-Fence": String(this.#section.fence), "If-Match": this.#revision },
    });
    if (!answer.ok) return;
    this.#revision = await answer.text();
    this.#section.saved({ revision: this.#revision, text });
    if (request?.cause === "request" && request.requestId) {
      await this.#section.answerRequest(request.requestId, "APPROVE", { revision: this.#revision });
    }
  }

  done(): Promise<void> { return this.#section.release({ revision: this.#revision }); }
}
