/* Texts for people: names, times and durations as wslockctl writes them. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = [[SECOND, 90 * SECOND, 's'], [MINUTE, 90 * MINUTE, 'min'], [HOUR, 36 * HOUR, 'h'], [DAY, Infinity, 'd']];

/* Controls, line separators, and characters that turn the direction of text. */
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/* The text with what cannot be seen as \xNN or \uNNNN. */
export function printable(text) {
  return String(text ?? '').replace(UNPRINTABLE, (c) => {
    const code = c.charCodeAt(0);
    return code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });
}

/* `Name (id)`, or only the id. */
export function person(name, id) {
  if (!name || name === id) return printable(id);
  return printable(name) + (id ? ` (${printable(id)})` : '');
}

export function user(of) {
  return person(of?.username, of?.userId);
}

export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

export function duration(ms) {
  const [unit, , name] = UNITS.find(([, until]) => ms < until);
  return `${Math.floor((ms + unit / 2) / unit)} ${name}`;
}

/* `in 5 s`, `5 s ago`, `now`. */
export function relative(ms, now) {
  const distance = ms - now;
  if (Math.abs(distance) < SECOND / 2) return 'now';
  return distance > 0 ? `in ${duration(distance)}` : `${duration(-distance)} ago`;
}

const two = (n) => String(n).padStart(2, '0');

/* Local time; with the date if that is not today. */
export function clock(ms, now = Date.now()) {
  const at = new Date(ms);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return new Date(now).toDateString() === at.toDateString() ? time : `${day} ${time}`;
}

/* `14:03:12 (5 min ago)` */
export function time(ms, now) {
  return `${clock(ms, now)} (${relative(ms, now)})`;
}

/* At most three digits that count. */
export function number(value) {
  if (value >= 100 || Number.isInteger(value)) return Math.round(value).toLocaleString('en-GB');
  return value.toFixed(value < 10 ? 2 : 1).replace(/\.?0+$/, '');
}

/* Seconds as `3.2 ms` or `1.2 s`. */
export function latency(seconds) {
  return seconds < 1 ? `${number(seconds * 1000)} ms` : `${number(seconds)} s`;
}
