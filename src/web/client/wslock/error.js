// Errors, and the checks of what the application passes in.

import { LONGEST_MS } from "./platform.js";

const RESOURCE = /^([a-z][a-z0-9-]{0,63}:[A-Za-z0-9._~-]{1,128})(:[A-Za-z0-9._~-]{1,64})?$/;

export class WslockError extends Error {
  constructor(code, message, data = {}) {
    super(message);
    Object.assign(this, { name: "WslockError", code, data, retryAfterMs: data.retryAfterMs ?? null });
  }
}

// What the server answers with.
export const serverError = (data) => new WslockError(data.code, data.message, data);

export const closedError = () => new WslockError("CLOSED", "closed or left");

export function fail(text) {
  throw new TypeError(`wslock: ${text}`);
}

// Always three parts, as the server answers.
export function resourceId(id) {
  const parts = typeof id === "string" && RESOURCE.exec(id);
  if (!parts) fail(`no resource id: ${String(id)}`);
  return parts[2] ? id : `${id}:main`;
}

export function string(name, value) {
  if (typeof value !== "string") fail(`${name} must be a string`);
  return value;
}

// Lengths are counted in code points, as the server does.
export function text(name, value, min, max) {
  const { length } = [...string(name, value)];
  if (length < min || length > max) fail(`${name} must have ${min} to ${max} characters`);
  if (/[\ud800-\udfff]/u.test(value) || value.includes("\0")) fail(`${name}: invalid character`);
  return value;
}

// undefined where it is missing or empty.
export function optionalText(name, value, max) {
  return text(name, value ?? "", 0, max) || undefined;
}

export function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) fail(`${name} must be one of ${allowed.join(", ")}`);
  return value;
}

export function flag(name, value) {
  if (value !== undefined && typeof value !== "boolean") fail(`${name} must be true or false`);
  return value;
}

export function callback(name, value) {
  if (typeof value !== "function") fail(`${name} must be a function`);
  return value;
}

export function duration(name, value, whenMissing) {
  if (value === undefined) return whenMissing;
  if (!Number.isFinite(value) || value <= 0 || value > LONGEST_MS) fail(`${name} must be above 0 and at most ${LONGEST_MS} ms`);
  return value;
}

export function options(value, known) {
  if (value === undefined) return {};
  if (value === null || typeof value !== "object") fail("options must be an object");
  for (const key of Object.keys(value)) if (!known.includes(key)) fail(`unknown option ${key}`);
  return value;
}

export const requestOptions = (value, ...more) => {
  const given = options(value, ["signal", "timeoutMs", ...more]);
  duration("timeoutMs", given.timeoutMs);
  if (given.signal !== undefined && typeof given.signal?.addEventListener !== "function") fail("signal must be an AbortSignal");
  return given;
};
