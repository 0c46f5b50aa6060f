// Opens one connection over TLS that trusts a file: `client.js FILE PORT`.
const fs = require('node:fs');
const tls = require('node:tls');

const [, , file, port] = process.argv;
const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', ca: fs.readFileSync(file) });
socket.on('secureConnect', () => process.exit(0));
socket.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
