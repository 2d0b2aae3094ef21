// src/lock/layouts.def, read as the build reads it: the numbers for the names in scripts, and records as objects.
import { readFileSync } from 'node:fs';

const layouts = {};
const values = {};
for (const line of readFileSync(new URL('../../src/lock/layouts.def', import.meta.url), 'utf8').split('\n')) {
    const [, layout, what, name, rest] = /^([A-Z_]+)_(FIELD|VALUE)\(([A-Z_]+), (\w+)/.exec(line) ?? [];
    if (what === 'FIELD') {
        layouts[layout] ??= layout.startsWith('EVENT_') ? [...layouts.EVENT] : [];
        layouts[layout].push({ name, kind: rest });
    } else if (what === 'VALUE') {
        (values[layout] ??= {})[name] = +rest;
    }
}

function header(count) {
    return count > 15 ? `'\\220\\0\\${count}'` : `'\\${144 + count}'`;
}

function numberOf(full) {
    const [set, name] = full.split('.');
    if (set === 'ARRAY') {
        for (const [layout, fields] of Object.entries(layouts)) {
            const last = fields.findIndex((field) => `${layout}_${field.name}` === name);
            if (last >= 0 || layout === name) {
                return header(last >= 0 ? last + 1 : fields.length);
            }
        }
    }
    const index = layouts[set]?.findIndex((field) => field.name === name) ?? -1;
    const number = index >= 0 ? index + 1 : values[set]?.[name];
    if (number === undefined) {
        throw new Error(`${full} is not in layouts.def`);
    }
    return number;
}

export function withNumbers(text) {
    return text.replace(/(?<![A-Za-z_.])[A-Z][A-Z_]*\.[A-Z][A-Z_]*/g, (full) => numberOf(full));
}

const camel = (name) => name.toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase());

// The items as an object: LAST_EVENT is lastEvent. Items that are missing at the end are empty.
export function record(layout, items) {
    return Object.fromEntries(layouts[layout].map(({ name, kind }, i) =>
        [camel(name), items[i] ?? (kind === 'TEXT' ? '' : 0)]));
}

// The names of the kinds of events, in the order of their numbers.
export const KINDS = Object.keys(values.KIND);

export function hasFlag(flags, name) {
    return (flags & values.FLAG[name]) !== 0;
}

// How many items an array of this layout has, up to `last`.
export function size(layout, last) {
    return last ? numberOf(`${layout}.${last}`) : layouts[layout].length;
}
