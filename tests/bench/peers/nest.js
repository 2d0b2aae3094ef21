// NestJS + Socket.IO + ioredis:  node nest.js PORT REDIS_SOCKET SECRET_FILE [adapter|design]
// Decorators are applied by hand, so that there is nothing to build.
import 'reflect-metadata';
import { Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { ConnectedSocket, MessageBody, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Locks, verifier } from './locks.js';

const [port, redis, secret, kind] = process.argv.slice(2);
const verify = verifier(secret);

class Gateway {
  constructor(options) {
    // What the stream tells is told by every instance to its own members.
    this.locks = new Locks(redis, options.design, (resource, event, data) =>
      (options.design ? this.server.local : this.server).to(resource).emit(event, data));
  }

  afterInit(server) {
    server.use((socket, next) => {
      socket.data.user = verify(socket.handshake.auth.token);
      next(socket.data.user ? undefined : new Error('AUTH_FAILED'));
    });
  }

  // What a handler returns is the acknowledgement.
  async join(socket, { resourceId, mode }) {
    await socket.join(resourceId);
    await this.locks.join(resourceId, socket.data.user);
    if (mode === 'editor')
      socket.emit(...await this.locks.acquire(resourceId, socket.data.user));
    return { reply: 'resource:joined', resourceId };
  }

  async acquire(socket, { resourceId }) {
    const [reply, data] = await this.locks.acquire(resourceId, socket.data.user);
    return { reply, ...data };
  }

  async release(socket, { resourceId }) {
    const [reply, data] = await this.locks.release(resourceId, socket.data.user);
    return { reply, ...data };
  }
}

WebSocketGateway({ transports: ['websocket'] })(Gateway);
WebSocketServer()(Gateway.prototype, 'server');
Inject('OPTIONS')(Gateway, undefined, 0);
for (const [event, method] of [['resource:join', 'join'], ['lock:acquire', 'acquire'], ['lock:release', 'release']]) {
  SubscribeMessage(event)(Gateway.prototype, method, Object.getOwnPropertyDescriptor(Gateway.prototype, method));
  ConnectedSocket()(Gateway.prototype, method, 0);
  MessageBody()(Gateway.prototype, method, 1);
}

class Root {}
Module({ providers: [Gateway, { provide: 'OPTIONS', useValue: { design: kind === 'design' } }] })(Root);

class RedisIoAdapter extends IoAdapter {
  createIOServer(at, options) {
    const publisher = new Redis({ path: redis, enableAutoPipelining: true });
    return super.createIOServer(at, { ...options, adapter: createAdapter(publisher, publisher.duplicate()) });
  }
}

const app = await NestFactory.create(Root, { logger: ['error', 'warn'] });
app.useWebSocketAdapter(kind === 'adapter' ? new RedisIoAdapter(app) : new IoAdapter(app));
await app.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 });
