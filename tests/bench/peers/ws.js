// npm ws with the frames of wslockd:  node ws.js PORT REDIS_SOCKET SECRET_FILE
import { WebSocketServer } from 'ws';
import { Locks, verifier } from './locks.js';

const [port, redis, secret] = process.argv.slice(2);
const verify = verifier(secret);
const rooms = new Map(); // resource → its sockets

const locks = new Locks(redis, false, (resource, event, data) => {
  const frame = Buffer.from(JSON.stringify({ event, data }));
  for (const socket of rooms.get(resource) ?? [])
    socket.send(frame, { binary: false });
});

const handlers = {
  async auth(socket, { token }) {
    socket.user = verify(token);
    return socket.user ? ['welcome', {}] : ['error', { code: 'AUTH_FAILED' }];
  },
  async 'resource:join'(socket, { resourceId, mode }) {
    if (!rooms.has(resourceId))
      rooms.set(resourceId, new Set());
    rooms.get(resourceId).add(socket);
    socket.on('close', () => rooms.get(resourceId)?.delete(socket) && rooms.get(resourceId).size === 0 &&
      rooms.delete(resourceId));
    await locks.join(resourceId, socket.user);
    if (mode === 'editor') {
      const [event, data] = await locks.acquire(resourceId, socket.user);
      socket.send(JSON.stringify({ event, data }));
    }
    return ['resource:joined', { resourceId }];
  },
  'lock:acquire': (socket, { resourceId }) => locks.acquire(resourceId, socket.user),
  'lock:release': (socket, { resourceId }) => locks.release(resourceId, socket.user),
};

new WebSocketServer({ host: '127.0.0.1', port, backlog: 4096 }).on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', async (text) => {
    const { event, id, data } = JSON.parse(text);
    if (event !== 'auth' && !socket.user)
      return socket.close();
    const [reply, content] = await handlers[event](socket, data);
    socket.send(JSON.stringify({ event: reply, id, data: content }));
  });
});
