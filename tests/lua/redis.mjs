// A private redis-server on a unix socket, and just enough of a client for it: commands go out in a pipeline,
// replies come back as promises. Integers are numbers (all of ours are below 2^53), strings are latin1 or utf8.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

class Parser {
    constructor() {
        this.buffer = Buffer.alloc(0);
        this.at = 0;
    }

    push(chunk) {
        this.buffer = this.at < this.buffer.length ? Buffer.concat([this.buffer.subarray(this.at), chunk]) : chunk;
        this.at = 0;
    }

    line() {
        const end = this.buffer.indexOf('\r\n', this.at);
        if (end < 0) {
            return undefined;
        }
        const text = this.buffer.latin1Slice(this.at, end);
        this.at = end + 2;
        return text;
    }

    // One reply, or undefined while it is not all here.
    next() {
        const start = this.at;
        const value = this.value();
        if (value === undefined) {
            this.at = start;
        }
        return value;
    }

    value() {
        const head = this.line();
        if (head === undefined) {
            return undefined;
        }
        const rest = head.slice(1);
        switch (head[0]) {
            case '+':
                return rest;
            case '-':
                return new Error(rest);
            case ':':
                return Number(rest);
            case '$':
                return this.bulk(Number(rest));
            default:
                return this.array(Number(rest));
        }
    }

    bulk(length) {
        if (length < 0) {
            return null;
        }
        if (this.buffer.length < this.at + length + 2) {
            return undefined;
        }
        const bytes = this.buffer.subarray(this.at, this.at + length);
        this.at += length + 2;
        // Packed values start with a byte that no text of ours starts with: those stay bytes.
        return length > 0 && bytes[0] >= 0x80 && bytes[0] !== 0xc3 ? Buffer.from(bytes) : bytes.utf8Slice();
    }

    array(count) {
        if (count < 0) {
            return null;
        }
        const items = [];
        for (let i = 0; i < count; i++) {
            const item = this.value();
            if (item === undefined) {
                return undefined;
            }
            items.push(item);
        }
        return items;
    }
}

export class Redis {
    constructor(socket, child, folder) {
        Object.assign(this, { socket, child, folder, waiting: [], parser: new Parser(), output: [] });
        socket.on('data', (chunk) => this.read(chunk));
        socket.on('close', () => this.waiting.splice(0).forEach(({ reject }) => reject(new Error('closed'))));
    }

    // `under`: a command in front of redis-server, such as valgrind's.
    static async start(options = [], under = []) {
        const folder = mkdtempSync(join(tmpdir(), 'wslock-lua-'));
        const path = join(folder, 's');
        const [command, ...args] = [...under, process.env.WSLOCK_TEST_REDIS || 'redis-server', '--port', '0',
            '--unixsocket', path, '--save', '', '--dir', folder, ...options];
        const child = spawn(command, args, { stdio: 'ignore', cwd: folder });
        let gone = false;
        child.on('exit', () => { gone = true; });
        for (;;) {
            try {
                const socket = await new Promise((resolve, reject) => {
                    const s = connect(path, () => resolve(s));
                    s.on('error', reject);
                });
                return new Redis(socket, child, folder);
            } catch (error) {
                if (gone) {
                    throw new Error(`redis-server did not start: ${error.message}`);
                }
                await new Promise((resolve) => { setTimeout(resolve, 10); });
            }
        }
    }

    read(chunk) {
        this.parser.push(chunk);
        for (let value = this.parser.next(); value !== undefined; value = this.parser.next()) {
            const { resolve, reject } = this.waiting.shift();
            if (value instanceof Error) {
                reject(value);
            } else {
                resolve(value);
            }
        }
    }

    // args: strings, numbers and buffers.
    command(...args) {
        const parts = [`*${args.length}\r\n`];
        for (const arg of args) {
            const bytes = Buffer.isBuffer(arg) ? arg.latin1Slice() : Buffer.from(String(arg)).latin1Slice();
            parts.push(`$${bytes.length}\r\n`, bytes, '\r\n');
        }
        this.output.push(parts.join(''));
        if (this.output.length === 1) {
            queueMicrotask(() => this.socket.write(this.output.splice(0).join(''), 'latin1'));
        }
        return new Promise((resolve, reject) => { this.waiting.push({ resolve, reject }); });
    }

    async stop() {
        const exited = new Promise((resolve) => { this.child.on('exit', resolve); });
        this.socket.on('error', () => {});
        this.socket.destroy();
        this.child.kill('SIGKILL');
        await exited;
        rmSync(this.folder, { recursive: true });
    }
}
