'use strict';
/* A real Prometheus scrapes a real daemon; the dashboard, the alerts and docs/metrics.md have its metrics. */
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const h = require('./harness');

const read = (name) => fs.readFileSync(path.join(h.ROOT, name), 'utf8');

/* {expressions of the dashboard, expressions of the alerts} */
function expressions() {
  const dashboard = JSON.parse(read('config/grafana-dashboard.json'));
  const alerts = [...read('config/alerts.yaml').matchAll(/^ +expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/gm)].map((m) => m[1] || m[2]);
  return {
    dashboard: dashboard.panels.flatMap((panel) => (panel.targets || []).map((target) => target.expr)),
    alerts,
  };
}

/* The metrics that an expression names: {name, labels of its selector}. */
function named(expression) {
  const found = [];
  const bare = expression.replace(/"[^"]*"/g, '""').replace(/\[[^\]]*\]/g, '').replace(/\b(by|without|on|ignoring) *\([^)]*\)/g, '');
  for (const [, name, selector] of bare.matchAll(/\b([a-z_:][a-z0-9_:]*)\b(?! *\()(?:\{([^}]*)\})?(?=[^=!~]|$)/g)) {
    if (!/^(and|or|unless|bool|offset|group_left|group_right)$/.test(name)) {
      found.push({ name, labels: [...(selector || '').matchAll(/(\w+) *(?:=~|!~|!=|=)/g)].map((m) => m[1]) });
    }
  }
  return found;
}

/* {name: {type, labels}} of docs/metrics.md. */
function documented() {
  const sections = read('docs/metrics.md').split(/^### /m).slice(1);
  return new Map(sections.map((text) => [text.split('\n')[0], {
    type: /^\*([A-Z][a-z]+)/m.exec(text)[1].toLowerCase(),
    labels: [...text.matchAll(/^- label `(\w+)`/gm)].map((m) => m[1]),
  }]));
}

async function scrape(d) {
  return (await h.httpGet(d.opsUrl('/metrics'))).body;
}

/* Prometheus on a port of its own, with the project's alerts: a function that queries it. */
async function prometheus(t, d) {
  const dir = h.tempDir(t);
  const port = await h.freePort();
  fs.writeFileSync(path.join(dir, 'prometheus.yml'), JSON.stringify({
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: [path.join(h.ROOT, 'config/alerts.yaml')],
    scrape_configs: [{ job_name: 'wslockd', static_configs: [{ targets: [`127.0.0.1:${d.ops.port}`] }] }],
  }));
  const child = h.start('prometheus', [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`,
    `--web.listen-address=127.0.0.1:${port}`, '--log.level=warn']);
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (log += data));
  h.cleanup(t, async () => {
    child.kill('SIGKILL');
    await child.ended;
  });
  const api = async (pathname) => {
    const answer = await h.httpGet(`http://127.0.0.1:${port}/api/v1/${pathname}`);
    assert.strictEqual(answer.json.status, 'success', `${pathname}: ${answer.body}`);
    return answer.json.data;
  };
  const isUp = async () => (await api('targets')).activeTargets.every((target) => target.health === 'up');
  await h.eventually(isUp, 'the target is up').catch((error) => assert.fail(`${error.message}\n${log}`));
  const query = async (expression) => (await api(`query?query=${encodeURIComponent(expression)}`)).result;
  const value = async (expression) => Number((await query(expression))[0]?.value[1]);
  return { api, query, value };
}

const config = {
  instance: 'one',
  auth: { adminRoles: ['lock-admin'] },
  resourceTypes: { document: { takeover: 'immediate' }, line: { upgrade: 'queue' } },
};

/* What the queries below count. */
async function traffic(d) {
  const ann = await h.person(d, 'ann');
  const bob = await h.person(d, 'bob');
  const root = await h.person(d, 'root', { roles: ['lock-admin'] });
  const { token } = await h.take(ann, 'document:m:one');
  await h.take(ann, 'unnamed:m:one');
  await h.take(ann, 'line:m:one');
  assert.strictEqual((await h.edit(bob, 'document:m:one')).answer.event, 'lock:denied');
  assert.strictEqual((await h.edit(bob, 'line:m:one')).answer.event, 'lock:queued');
  await h.view(root, 'document:m:one');
  await root.request('lock:takeover', { resourceId: 'document:m:one', reason: 'Cardiac arrest' });
  await ann.waitFor('lock:taken_by_admin');
  assert.strictEqual((await h.opsCall(d, 'POST', '/v1/locks/document:m:one/verify', { token })).json.valid, false);
}

test('metrics', async (t) => {
  const d = await h.lockDaemon(t, { config });
  const prom = await prometheus(t, d);
  await traffic(d);

  await t.test('Prometheus has what happened', async () => {
    const counted = {
      'wslock_ready': 1,
      'wslock_store_up': 1,
      'wslock_connections': 3,
      'wslock_locks{type="document",state="held"}': 1,
      'wslock_locks{type="line",state="held"}': 1,
      'wslock_locks{type="other",state="held"}': 1,
      'wslock_waiters{type="line"}': 1,
      'wslock_denied_total{type="document",reason="HELD"}': 1,
      'wslock_takeovers_total{type="document",outcome="IMMEDIATE"}': 1,
      'wslock_stale_tokens_total': 1,
      'wslock_audit_errors_total': 0,
      'wslock_closed_total{reason="TOO_SLOW"}': 0,
      'count(count by (type) (wslock_locks))': 3,
    };
    for (const [expression, expected] of Object.entries(counted)) {
      await h.eventually(async () => (await prom.value(expression)) === expected, `${expression} is ${expected}`);
    }
    const positive = [
      'histogram_quantile(0.99, sum by (le) (wslock_request_duration_seconds_bucket{event="resource:join"}))',
      'histogram_quantile(0.99, sum by (le) (wslock_store_duration_seconds_bucket{script="join"}))',
      'wslock_audit_records_total', 'wslock_audit_sync_duration_seconds_count', 'wslock_events_total', 'wslock_deliveries_total',
      'process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_virtual_memory_bytes - process_resident_memory_bytes',
      'process_open_fds', 'process_max_fds - process_open_fds', 'process_start_time_seconds > time() - 600',
    ];
    for (const expression of positive) {
      await h.eventually(async () => (await prom.value(expression)) > 0, expression);
    }
  });

  await t.test('every alert can be evaluated, every panel queried', async () => {
    const rules = async () => (await prom.api('rules')).groups.flatMap((group) => group.rules);
    await h.eventually(async () => (await rules()).every((rule) => rule.health !== 'unknown'), 'the alerts are evaluated');
    for (const rule of await rules()) assert.strictEqual(rule.health, 'ok', `${rule.name}: ${rule.lastError}`);
    for (const expression of expressions().dashboard) {
      await prom.query(expression.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'));
    }
  });

  await t.test('a scrape changes nothing', async () => {
    d.signal('SIGSTOP');
    await new Promise((resolve) => { setTimeout(resolve, 300); }); // that long the loop stands still
    d.signal('SIGCONT');
    await h.eventually(async () => (await d.metric('wslock_loop_lag_seconds')) >= 0.2, 'the lag shows');
    for (const name of ['wslock_loop_lag_seconds', 'wslock_feed_lag_seconds']) {
      const first = await d.metric(name);
      assert.ok((await d.metric(name)) >= first, `${name} is still ${first}`);
    }
    await h.eventually(async () => (await prom.value('wslock_loop_lag_seconds')) >= 0.2, 'Prometheus sees it too');
  });

  await t.test('promtool has no complaint', async () => {
    const file = path.join(h.tempDir(t), 'metrics.txt');
    fs.writeFileSync(file, await scrape(d));
    const result = await h.run(['-c', `promtool check metrics <'${file}'`], { program: 'sh' });
    assert.deepStrictEqual([result.code, result.stdout, result.stderr], [0, '', '']);
  });

  await t.test('documentation, dashboard and alerts have the metrics of the daemon', async () => {
    const exposed = new Map([...(await scrape(d)).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((m) => [m[1], m[2]]));
    const pages = documented();
    assert.deepStrictEqual(Object.fromEntries([...pages].map(([name, { type }]) => [name, type])), Object.fromEntries(exposed));
    const { dashboard, alerts } = expressions();
    assert.ok(dashboard.length > 30 && alerts.length > 20, 'the expressions were found');
    const used = new Set();
    for (const { name, labels } of [...dashboard, ...alerts].flatMap(named)) {
      if (name === 'up') continue; // Prometheus' own
      const base = exposed.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
      assert.ok(exposed.has(base) && (base === name) === (exposed.get(base) !== 'histogram'), `no such metric: ${name}`);
      const known = [...pages.get(base).labels, 'instance', 'job'];
      assert.deepStrictEqual(labels.filter((label) => !known.includes(label)), [], `labels of ${name}`);
      used.add(base);
    }
    assert.deepStrictEqual([...exposed.keys()].filter((name) => !used.has(name)), [], 'each is of use');
  });

  await h.checkAll(d);
});
