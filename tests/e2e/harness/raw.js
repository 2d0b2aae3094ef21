'use strict';
/* Plain HTTP, raw sockets and WebSocket frames by hand. */
const crypto = require('node:crypto');
const http = require('node:http');
const https = require('node:https');
const net = require('node:net');
const tls = require('node:tls');
const { cleanup, deadline } = require('./basics');

/* {status, headers, body, json}; target: URL text, or {socketPath, path}. */
function httpGet(target, options = {}) {
  const lib = typeof target === 'string' && target.startsWith('https:') ? https : http;
  const where = typeof target === 'string' ? [target, options] : [{ ...target, ...options }];
  return deadline(
    new Promise((resolve, reject) => {
      const request = lib.request(...where.slice(0, -1), { agent: false, rejectUnauthorized: false, ...where.at(-1) }, (response) => {
        const parts = [];
        response.on('data', (part) => parts.push(part));
        response.on('end', () => {
          const body = Buffer.concat(parts).toString();
          let json;
          try {
            json = JSON.parse(body);
          } catch {
            json = undefined;
          }
          resolve({ status: response.statusCode, headers: response.headers, body, json });
        });
      });
      request.on('error', reject);
      request.end(options.body);
    }),
    'an HTTP answer',
  );
}

/* A socket with what came over it. */
class RawSocket {
  constructor(socket) {
    this.socket = socket;
    this.data = Buffer.alloc(0);
    this.wake = [];
    socket.on('data', (data) => {
      this.data = Buffer.concat([this.data, data]);
      for (const wake of this.wake.splice(0)) wake();
    });
    this.closed = new Promise((resolve) => {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.ended = true;
        resolve();
        for (const wake of this.wake.splice(0)) wake();
      });
    });
  }
  write(data) {
    this.socket.write(data);
  }
  /* Waits until take(data) gives something true; null when the peer has ended without. */
  async until(take, what, timeout) {
    for (;;) {
      const value = take(this.data);
      if (value) return value;
      if (this.ended) return null;
      await deadline(new Promise((resolve) => this.wake.push(resolve)), what, timeout);
    }
  }
  /* The head of an HTTP answer and, of a final one, its body: as long as the head says, or where the connection
   * ends with it whatever comes. */
  async response({ bodiless = false } = {}) {
    const head = await this.until((d) => {
      const end = d.indexOf('\r\n\r\n');
      return end >= 0 && d.subarray(0, end + 4);
    }, 'an HTTP head');
    if (!head) return null;
    const [line, ...rest] = head.toString('latin1').trim().split('\r\n');
    const headers = {};
    for (const text of rest) {
      const colon = text.indexOf(':');
      headers[text.slice(0, colon).toLowerCase()] = text.slice(colon + 1).trim();
    }
    const status = Number(line.split(' ')[1]);
    this.data = this.data.subarray(head.length);
    if (status < 200) return { status, headers, line };
    if (headers.connection === 'close') {
      await deadline(this.closed, 'the connection ends');
      return { status, headers, line, body: this.data.toString() };
    }
    const length = bodiless ? 0 : Number(headers['content-length']);
    await this.until((d) => d.length >= length, 'the body');
    const body = this.data.subarray(0, length).toString();
    this.data = this.data.subarray(length);
    return { status, headers, line, body };
  }
  /* The next WebSocket frame of the server: {opcode, payload, code?}; null at the end. */
  async frame(timeout) {
    return this.until((d) => {
      if (d.length < 2) return null;
      let length = d[1] & 127;
      let at = 2;
      if (length === 126) {
        if (d.length < 4) return null;
        length = d.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (d.length < 10) return null;
        length = Number(d.readBigUInt64BE(2));
        at = 10;
      }
      if (d.length < at + length) return null;
      const frame = { opcode: d[0] & 15, fin: d[0] >> 7, payload: d.subarray(at, at + length) };
      if (frame.opcode === 8 && length >= 2) frame.code = frame.payload.readUInt16BE(0);
      this.data = d.subarray(at + length);
      return frame;
    }, 'a WebSocket frame', timeout);
  }
  /* The close frame, whatever comes before it. */
  async closeFrame() {
    for (;;) {
      const frame = await this.frame();
      if (!frame || frame.opcode === 8) return frame;
    }
  }
}

function rawConnect(t, port, options = {}) {
  const where = typeof port === 'number' ? { port, host: options.host || '127.0.0.1' } : { path: port };
  const socket = options.tls
    ? tls.connect({ ...where, rejectUnauthorized: false, ...options.tls })
    : net.connect(where);
  cleanup(t, () => socket.destroy());
  const raw = new RawSocket(socket);
  return deadline(
    new Promise((resolve, reject) => {
      socket.on('error', reject);
      socket.on(options.tls ? 'secureConnect' : 'connect', () => resolve(raw));
    }),
    'a connection',
  );
}

/* The text of an upgrade request; a header set to null is left out, an array is sent several times. */
function upgradeText(options = {}) {
  const headers = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': crypto.randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Protocol': 'wslock.v1',
    ...options.headers,
  };
  let text = `${options.method || 'GET'} ${options.path || '/ws'} ${options.version || 'HTTP/1.1'}\r\n`;
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) if (one !== null) text += `${name}: ${one}\r\n`;
  }
  return `${text}\r\n`;
}

/* A masked client frame. */
function wsFrame(opcode, payload, fin = true) {
  const body = Buffer.from(payload);
  const mask = crypto.randomBytes(4);
  let head;
  if (body.length < 126) head = Buffer.from([0, 128 | body.length]);
  else if (body.length < 65536) {
    head = Buffer.from([0, 128 | 126, 0, 0]);
    head.writeUInt16BE(body.length, 2);
  } else {
    head = Buffer.alloc(10);
    head[1] = 128 | 127;
    head.writeBigUInt64BE(BigInt(body.length), 2);
  }
  head[0] = (fin ? 128 : 0) | opcode;
  for (let i = 0; i < body.length; i++) body[i] ^= mask[i & 3];
  return Buffer.concat([head, mask, body]);
}

module.exports = { httpGet, rawConnect, upgradeText, wsFrame };
