/* A user at random: types, saves, lets go, asks, answers, claims, takes over. */

const STEP_MS = [60, 260];

function generator(seed) { // mulberry32
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

export function run(app, query) {
  const { section, client } = app;
  const visit = Number(sessionStorage.getItem('visit') ?? 0) + 1;
  sessionStorage.setItem('visit', String(visit));
  const random = generator(Number(query.get('robot')) * 1000 + visit);
  const chance = (p) => random() < p;
  const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
  let count = 0;
  let running = true;
  let stopped = null;

  const token = () => `${app.page}.${++count} `;

  async function edit() {
    if (app.offers.length > 0) {
      if (chance(0.5)) app.putBack();
      else if (chance(0.1)) app.discard();
    }
    if (chance(0.7)) app.type(token());
    if (chance(0.15)) await app.save();
    if (chance(0.04)) {
      if (chance(0.6)) await app.save();
      await app.call('release', { revision: app.copy.base.revision });
    }
  }

  async function wait() {
    const { state, holder } = section.lock;
    const isOthers = state === 'held' && holder.userId !== client.user?.userId;
    if (section.turn ? chance(0.6) : section.claimable && chance(0.2)) await app.call('claim');
    else if (state === 'free' ? chance(0.4) : chance(0.02)) await app.call('edit', { takeOwn: chance(0.3) });
    else if (isOthers && section.asked === null && chance(0.03)) await app.call('request', 'may I?');
    else if (isOthers && section.asked !== null && chance(0.01)) await app.call('cancelRequest');
    else if (isOthers && client.user?.admin && section.takingOver === null && chance(0.02)) await app.call('takeOver', 'at random');
  }

  async function answer() {
    const [request] = section.requests;
    if (request && chance(0.1)) {
      const action = ['APPROVE', 'APPROVE', 'DENY', 'IGNORE'][Math.floor(random() * 4)];
      if (action === 'APPROVE') await app.save();
      await app.call('answerRequest', request.requestId, action);
    }
    if (section.takeover && !section.takeover.denied && chance(0.05)) {
      await app.call('answerTakeover', section.takeover.requestId, chance(0.5) ? 'APPROVE' : 'DENY');
    }
  }

  async function loop() {
    while (running) {
      client.touch();
      if (app.editable()) await edit();
      else await wait();
      await answer();
      await pause(STEP_MS[0] + random() * (STEP_MS[1] - STEP_MS[0]));
    }
  }

  /* Ends the play, gets the lock, decides about all unsaved text, saves, and lets go. */
  async function finish() {
    running = false;
    await stopped;
    for (;;) {
      if (!app.editable()) await app.call(section.turn ? 'claim' : 'edit', ...(section.turn ? [] : [{ takeOwn: true }]));
      await pause(100);
      if (!app.editable()) continue;
      while (app.offers.length > 0 && app.putBack());
      app.type(token());
      await app.save();
      if (app.editable() && !app.isDirty() && app.offers.length === 0) break;
    }
    await app.call('release', { revision: app.copy.base.revision });
  }

  app.robot = { finish };
  stopped = loop();
  stopped.catch((error) => app.journal.note('robot', { error: String(error) }));
}
