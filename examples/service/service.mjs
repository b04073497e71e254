// Robust classification over HTTP: POST an image to /predict, GET /health.
//   node service.mjs runs/model --port 8080
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { createPool } from './pool.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '8080' },
    threads: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    queue: { type: 'string', default: '256' },
    batch: { type: 'string', default: '16' },
    'max-bytes': { type: 'string', default: String(2 ** 20) },
    'max-milliseconds': { type: 'string', default: '5000' },
  },
});
const [model] = positionals;
if (model === undefined) {
  console.error(
    'usage: node service.mjs <run | weights | export> [--port 8080] [--threads n] [--queue 256] [--max-bytes 1048576]',
  );
  process.exit(2);
}
const maxBytes = Number(values['max-bytes']);
const pool = createPool({
  model,
  threads: Number(values.threads),
  queue: Number(values.queue),
  batch: Number(values.batch),
  milliseconds: Number(values['max-milliseconds']),
});

function send(response, { status, body }, headers = {}) {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  const retry = status === 503 ? { 'retry-after': '1' } : {};
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...retry,
    ...headers,
  });
  response.end(text);
}

const tooLarge = { status: 413, body: { error: `an image may have ${maxBytes} bytes` } };

/** The body; undefined where it is larger than allowed, or its sender is gone. */
async function read(request) {
  if (Number(request.headers['content-length']) > maxBytes) return undefined;
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function predict(request, response) {
  const image = await read(request);
  // whoever sends too much is not read to the end
  if (image === undefined) return send(response, tooLarge, { connection: 'close' });
  if (image.length === 0)
    return send(response, { status: 400, body: { error: 'the body is empty; send the bytes of an image' } });
  send(response, await pool.predict(image));
}

function health(response) {
  const state = pool.state();
  const { rss } = process.memoryUsage();
  send(response, { status: state.ready > 0 ? 200 : 503, body: { ...state, megabytes: Math.round(rss / 2 ** 20) } });
}

const methods = new Map([
  ['/predict', 'POST'],
  ['/health', 'GET'],
]);

function handle(request, response) {
  // not `new URL`: of `//` it makes an error, which strangers could fill the log with
  const [pathname] = request.url.split(/[?#]/);
  const allowed = methods.get(pathname);
  if (allowed === undefined) return send(response, { status: 404, body: { error: 'POST /predict, GET /health' } });
  if (request.method !== allowed)
    return send(response, { status: 405, body: { error: `${allowed} ${pathname}` } }, { allow: allowed });
  return pathname === '/health' ? health(response) : predict(request, response);
}

async function answer(request, response) {
  try {
    await handle(request, response);
  } catch (error) {
    // a request that is cut off has nobody to answer
    if (!request.destroyed) console.error(error);
    send(response, { status: 400, body: { error: 'the request cannot be read' } }, { connection: 'close' });
  }
}

const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, maxHeaderSize: 16_384 }, answer);
server.maxConnections = 1024;
server.listen(Number(values.port), () => console.log(`listening on http://127.0.0.1:${server.address().port}`));

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    server.close(() => pool.close().then(() => process.exit(0)));
    server.closeIdleConnections();
  });
