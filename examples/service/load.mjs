// Load for the service: starts it, keeps it busy, says what it did.
//   node load.mjs runs/model --seconds 5 --clients 16
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { encodePng } from '@bulwark/datasets';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    clients: { type: 'string', default: '16' },
    /** Share of requests that are no images. */
    bad: { type: 'string', default: '0.02' },
    threads: { type: 'string', default: '1' },
    queue: { type: 'string', default: '256' },
    /** Requests a second, all clients together; without it as many as the service answers. */
    rate: { type: 'string', default: 'Infinity' },
  },
});
const [model = 'runs/model'] = positionals;
const service = fileURLToPath(new URL('service.mjs', import.meta.url));
const child = spawn(
  process.execPath,
  [service, model, '--port', '0', '--threads', values.threads, '--queue', values.queue],
  {
    stdio: ['ignore', 'pipe', 'inherit'],
  },
);
let died = false;
child.once('exit', () => (died = true));
const url = await new Promise((resolve, reject) => {
  createInterface(child.stdout).once('line', (line) => resolve(line.replace('listening on ', '')));
  child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
});

const health = async () => (await fetch(`${url}/health`)).json();
let state = await health();
while (state.ready === 0) {
  await wait(100);
  state = await health();
}

/** Images of noise, and some things that are none; no two alike. */
const [height, width, channels] = state.inputShape;
const pixels = (seed) =>
  Uint8Array.from({ length: height * width * channels }, (_, i) => (i * 31 + seed * 97 + ((i * seed) % 13)) % 256);
const images = Array.from({ length: 64 }, (_, seed) => encodePng(pixels(seed), [height, width, channels]));
const none = [
  Buffer.from('hello'),
  images[0].subarray(0, 60),
  encodePng(new Uint8Array(3), [1, 1, 3]),
  new Uint8Array(2 ** 20 + 1),
];

const latencies = [];
const statuses = new Map();
const memory = [];
let count = 0;
const until = Date.now() + 1000 * Number(values.seconds);

async function client() {
  while (Date.now() < until && !died) {
    const n = count++;
    const isBad = (n * 7919) % 1000 < 1000 * Number(values.bad);
    const began = performance.now();
    let status;
    try {
      const response = await fetch(`${url}/predict`, {
        method: 'POST',
        body: isBad ? none[n % none.length] : images[n % images.length],
      });
      await response.arrayBuffer();
      status = response.status;
      if (status === 200) latencies.push(performance.now() - began);
      if (status === 503) await wait(10);
    } catch {
      status = 'cut off'; // the service closes the connection of who sends too much
    }
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    await wait(Math.max(0, began + (1000 * Number(values.clients)) / Number(values.rate) - performance.now()));
  }
}

async function watch() {
  while (Date.now() < until && !died) {
    memory.push((await health()).megabytes);
    await wait(Math.max(200, Number(values.seconds) * 10));
  }
}

await Promise.all([watch(), ...Array.from({ length: Number(values.clients) }, client)]);
const after = died ? undefined : await health();
child.kill();
latencies.sort((a, b) => a - b);
const percentile = (share) =>
  `${latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]?.toFixed(1)} ms`;
console.log(`answers       ${[...statuses].map(([status, n]) => `${status}: ${n}`).join(', ')}`);
console.log(`images/s      ${(latencies.length / Number(values.seconds)).toFixed(0)}`);
console.log(
  `latency       p50 ${percentile(0.5)}, p95 ${percentile(0.95)}, p99 ${percentile(0.99)}, most ${percentile(1)}`,
);
const tenth = Math.max(1, Math.floor(memory.length / 10));
console.log(
  `memory        first tenth ${Math.max(...memory.slice(0, tenth))} MB, last tenth ${Math.max(...memory.slice(-tenth))} MB, most ${Math.max(...memory)} MB`,
);
console.log(
  `at the end    ${after ? `${after.ready} of ${values.threads} threads ready, ${after.waiting} waiting` : 'the service is dead'}`,
);
process.exitCode = after?.ready > 0 && latencies.length > 0 ? 0 : 1;
