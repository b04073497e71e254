// Requests that no browser sends, to the live report and the example's server, while the run that is shown is damaged under them.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createJiti } from 'jiti';
import { createRandom } from '../../packages/core/dist/index.js';
import { serveLive } from '../../packages/cli/dist/report/live-server.js';
import { startTiny } from '../../packages/cli/dist/train/testing.js';
import { mutate } from './mutate.mjs';

const methods = ['GET', 'GET', 'GET', 'HEAD', 'POST', 'OPTIONS', 'TRACE', 'CONNECT', 'get', ''];
const paths = [
  ...[
    '/',
    '/body',
    '/events',
    '/live.js',
    '/%',
    '//',
    'http://[/',
    '/../secret',
    '/..%2fsecret',
    '/%00',
    '/constructor',
  ],
  ...[
    '/__proto__',
    '*',
    'page',
    '/config.json',
    '/run/config.json',
    `/${'a'.repeat(9000)}`,
    '/%e0%a4%a',
    '/\\..\\secret',
  ],
  ...['/?', '/#', '/body?x', 'http://evil/', '//evil/body', '/./', '/.', '/index.html/', '/folder'],
];
const hosts = (port) => [
  `127.0.0.1:${port}`,
  `localhost:${port}`,
  'evil.example',
  '',
  `evil@127.0.0.1:${port}`,
  `127.0.0.1:${port}, evil`,
];

/** What a server says to these bytes, as far as it says it soon. */
const ask = (port, text, patience = 300) =>
  new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(end, patience);
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.length > 1e5) end();
    });
    socket.on('error', end);
    socket.on('close', end);
  });

export async function torture({ until, seed, folder, report }) {
  const random = createRandom(seed, 'torture-pages');
  const pick = (list) => list[random.integer(list.length)];
  const run = await startTiny({ epochs: 1, objective: 'natural' }, join(folder, 'run'));
  await run.train();
  run.dispose();
  const site = join(folder, 'site');
  mkdirSync(join(site, 'folder'), { recursive: true });
  writeFileSync(join(site, 'index.html'), 'the page');
  writeFileSync(join(folder, 'secret'), 'TOP SECRET');
  const live = await serveLive([run.folder.path], { port: 0, every: 50, warn: () => undefined });
  const { serve } = await createJiti(import.meta.url).import('../../examples/deploy-to-browser/serve.ts');
  const { server, url } = await serve(0, site);
  const ports = [Number(new URL(live.url).port), Number(new URL(url).port)];

  // a server that falls takes this process with it, which is what these are for
  const fell = (error) => report.failure(`a server fell: ${error?.stack ?? error}`);
  process.on('uncaughtException', fell);
  process.on('unhandledRejection', fell);
  const damaged = ['metrics.jsonl', 'summary.json', 'config.json', 'timings.jsonl'];
  const originals = new Map(damaged.map((name) => [name, readFileSync(join(run.folder.path, name))]));
  try {
    for (let i = 0; Date.now() < until(); i++) {
      const port = pick(ports);
      const host = pick(hosts(port));
      const line = `${pick(methods)} ${pick(paths)} ${pick(['HTTP/1.1', 'HTTP/1.0', 'HTTP/9', ''])}`;
      const request = `${line}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
      const text = random.integer(4) === 0 ? mutate(Buffer.from(request), random) : request;
      const answer = await ask(port, text, line.includes('/events') ? 50 : 2000);
      report.attempt();
      if (answer.includes('TOP SECRET')) report.failure(`${line}: a file outside of the site`);
      if (
        port === ports[0] &&
        !Buffer.isBuffer(text) &&
        !/^(127\.0\.0\.1|localhost):\d+$/.test(host) &&
        / 200 /.test(answer.slice(0, 20))
      )
        report.failure(`${line}, host ${host}: answered`);
      if (i % 10 === 0) {
        const name = pick(damaged);
        const path = join(run.folder.path, name);
        rmSync(path, { recursive: true, force: true });
        if (random.integer(5) === 0) mkdirSync(path);
        else writeFileSync(path, random.integer(3) === 0 ? originals.get(name) : mutate(originals.get(name), random));
      }
      if (i % 100 === 0)
        for (const each of ports) {
          const alive = await ask(
            each,
            `GET / HTTP/1.1\r\nHost: 127.0.0.1:${each}\r\nConnection: close\r\n\r\n`,
            20_000,
          );
          if (!alive.startsWith('HTTP/1.1 200'))
            report.failure(`port ${each} no longer serves its page: ${alive.slice(0, 80)}`);
        }
    }
    await wait(100);
  } finally {
    process.off('uncaughtException', fell);
    process.off('unhandledRejection', fell);
    await live.close();
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  }
}
