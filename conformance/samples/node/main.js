const http = require('node:http');

const say = (message) => console.log(JSON.stringify({ message, version: process.env.VERSION, built: require('./built.json') }));
const serve = (port, answers) =>
  http
    .createServer((request, response) => {
      response.statusCode = answers[request.url] ?? 404;
      response.end('\n');
    })
    .listen(port);

exports.add = (a, b) => a + b;

if (require.main === module) {
  // No server has the address of the database.
  const servers = [
    serve(process.env.PORT, { '/livez': 200, '/readyz': process.env.DATABASE_HOST ? 503 : 200 }),
    serve(process.env.METRICS_PORT, { '/metrics': 200 }),
  ];
  say('starts');
  process.on('SIGTERM', () => servers.forEach((server) => server.close()));
}
