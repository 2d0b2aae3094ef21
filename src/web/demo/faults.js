// A network of one tab that can be broken. Stands in the place of the browser's WebSocket, so that the client library meets what it
// would meet on a broken link. It cannot lose what the server's own pings and a real cable would lose.

const CONNECTING = 0, OPEN = 1, CLOSING = 2, CLOSED = 3;

export class Network {
  #sockets = new Set();
  #state = "up";

  constructor() {
    const network = this;
    this.WebSocket = class extends Link {
      constructor(url, protocols) { super(network, url, protocols); }
    };
  }

  // up, cut (connections end, and none can be made) or silent (nothing passes, and nobody is told).
  get state() { return this.#state; }

  set state(next) {
    this.#state = next;
    if (next === "silent") this.#each((link) => link.silence());
    else if (next === "cut") this.#each((link) => link.fail());
    else this.#each((link) => link.silenced && link.fail()); // what was lost does not come again
  }

  add(link) { this.#sockets.add(link); }
  remove(link) { this.#sockets.delete(link); }

  #each(action) {
    for (const link of [...this.#sockets]) action(link);
  }
}

class Link extends EventTarget {
  #network;
  #real = null;
  #state = CONNECTING;
  silenced = false;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(network, url, protocols) {
    super();
    this.#network = network;
    network.add(this);
    if (network.state === "cut") queueMicrotask(() => this.fail());
    else if (network.state === "silent") this.silenced = true;
    else this.#connect(url, protocols);
  }

  get readyState() { return this.#state; }

  send(text) {
    if (!this.silenced) this.#real.send(text);
  }

  close(code, reason) {
    if (this.#state >= CLOSING) return;
    this.#state = CLOSING;
    if (this.silenced) this.#end({ code: 1006, reason: "" }, false);
    else this.#real?.close(code, reason);
  }

  silence() { this.silenced = true; }

  // As a link that breaks: the server sees an end without a code, once it can see anything.
  fail() {
    if (this.#state === CLOSED) this.#drop();
    else this.#end({ code: 1006, reason: "" }, true);
  }

  #connect(url, protocols) {
    const real = this.#real = new WebSocket(url, protocols);
    real.onopen = () => {
      if (this.silenced || this.#state !== CONNECTING) return;
      this.#state = OPEN;
      this.#tell(new Event("open"));
    };
    real.onmessage = ({ data }) => !this.silenced && this.#state === OPEN && this.#tell(new MessageEvent("message", { data }));
    real.onerror = () => !this.silenced && this.#tell(new Event("error"));
    real.onclose = ({ code, reason }) => !this.silenced && this.#end({ code, reason }, true);
  }

  // seen: the other side may know it. Else its connection stays as it is until the network is back.
  #end({ code, reason }, seen) {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    if (seen) this.#drop();
    this.#tell(new CloseEvent("close", { code, reason }));
  }

  #drop() {
    this.#network.remove(this);
    this.#real?.close();
  }

  #tell(event) {
    this[`on${event.type}`]?.(event);
    this.dispatchEvent(event);
  }
}
