// A bare WebSocket server on Node's `ws`: node broadcast.cjs PORT. It echoes each message; POST / sends its body to all clients.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');

const server = http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const text = Buffer.concat(parts).toString();
    for (const client of sockets.clients) {
      client.send(text);
    }
    response.end('published\n');
  });
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (client) => client.on('message', (data, binary) => client.send(data, { binary })));
server.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
