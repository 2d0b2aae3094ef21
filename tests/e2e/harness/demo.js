'use strict';
/* The demo page, as a person sees it. */
const assert = require('node:assert');
const { eventually } = require('./basics');
const { demoWindow } = require('./browser');

/* One person's tab on the page. */
class Pane {
  constructor(page, name, tab = 1) {
    this.page = page;
    this.box = page.getByRole('region', { name: `${name}, tab ${tab}` });
    this.text = this.box.locator('textarea');
  }
  button(name) {
    return this.box.getByRole('button', { name, exact: true });
  }
  press(name) {
    return this.button(name).click();
  }
  /* The controls under the text. */
  controls() {
    return this.box.locator('.main button:visible').allTextContents();
  }
  async offers(...names) {
    await eventually(async () => `${await this.controls()}` === `${names}`, `it offers ${names}`).catch(async (error) => {
      throw new Error(`${error.message}: ${await this.controls()}`);
    });
  }
  /* A message whose title or text is like this. */
  message(text) {
    return this.box.locator('.message').filter({ hasText: text });
  }
  async told(text, severity) {
    await this.message(text).first().waitFor();
    if (severity) assert.strictEqual(await this.message(text).first().getAttribute('data-severity'), severity, `${text}`);
  }
  answer(text, label) {
    return this.message(text).getByRole('button', { name: label, exact: true }).click();
  }
  async gone(text) {
    await eventually(async () => (await this.message(text).count()) === 0, `no message ${text}`);
  }
  /* The line above the text. */
  async stands(text) {
    await this.box.locator('.standing-text').filter({ hasText: text }).waitFor();
  }
  says(text) {
    return this.box.getByText(text).first().waitFor();
  }
  edits() {
    return this.stands('You are editing.');
  }
  free() {
    return this.stands('Nobody is editing.');
  }
  connected() {
    return this.box.locator('.connection.on').waitFor();
  }
  /* From the numbers for developers. */
  async number(name) {
    const details = this.box.locator('details');
    if (!(await details.evaluate((element) => element.open))) await details.locator('summary').click();
    const value = this.box.locator(`[data-name="${name}"] dd`);
    return eventually(async () => (await value.textContent()).trim(), name);
  }
  async token() {
    return eventually(async () => Number(await this.number('Fencing token')), 'it has a fencing token');
  }
  async holds(value) {
    await eventually(async () => (await this.text.inputValue()) === value, `the text is ${value}`);
  }
}

async function openDemo(launched, d, options) {
  const window = await demoWindow(launched, d, options);
  return { ...window, anna: new Pane(window.page, 'Dr. Anna Rossi'), bruno: new Pane(window.page, 'Nurse Bruno Weiss') };
}

/* Another person, in a window beside the page's: a tab in front of it would slow it down. */
async function openPerson({ context, page }, link, name) {
  const href = await page.getByRole('link', { name: link }).getAttribute('href');
  const [popup] = await Promise.all([context.waitForEvent('page'), page.evaluate((to) => { window.open(to, '_blank', 'popup'); }, href)]);
  const pane = new Pane(popup, name);
  await pane.connected();
  return pane;
}

/* What the strip shows is in the audit log, under the same number. Returns the actions. */
async function recorded(d, page) {
  const shown = await page.locator('#records li').evaluateAll((items) => items.map(({ dataset }) => ({ ...dataset })));
  assert.ok(shown.length > 0);
  for (const { rev, action, resource } of shown) {
    const isThere = () => d.audit().some((a) => a.action === action && a.rev === Number(rev) && a.resourceId === resource);
    await eventually(isThere, `${action} ${rev}`);
  }
  return shown.map(({ action }) => action);
}

module.exports = { Pane, openDemo, openPerson, recorded };
