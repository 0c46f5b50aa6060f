// Runs as `prepare`, after `npm ci`: reads a source of the package.
const fs = require('node:fs');

const { main } = JSON.parse(fs.readFileSync('package.json'));
fs.writeFileSync('built.json', JSON.stringify({ lines: fs.readFileSync(main, 'utf8').split('\n').length, version: process.env.VERSION ?? null }));
