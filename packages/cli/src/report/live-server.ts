import { statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { filesBelow } from '../run-folders.js';
import { page, reportBody } from './build-report.js';
import { html } from './page/html.js';
import { readRuns, type RunRecord } from './read-run.js';

/** A report that follows its runs. */
export interface LiveReport {
  readonly url: string;
  close(): Promise<void>;
}

export interface LiveOptions {
  /** 0 takes a free one. */
  readonly port: number;
  /** Milliseconds between two looks at the run folders. */
  readonly every: number;
  readonly warn: (text: string) => void;
  /** Called after every change, with the epochs finished by run. */
  readonly onChange?: (epochs: Readonly<Record<string, number>>) => void;
}

const loopback = '127.0.0.1';

/** Runs in the page: replaces its content when the server says that something changed. */
const script = `
const refresh = async () => {
  const open = [...document.querySelectorAll('details')].map((part) => part.open);
  const text = await (await fetch('/body')).text();
  document.querySelector('main').outerHTML = text;
  document.querySelectorAll('details').forEach((part, i) => { part.open = open[i] ?? part.open; });
};
const events = new EventSource('/events');
events.onmessage = refresh;
events.onerror = () => { document.title = '(not connected) ' + document.title.replace(/^\\(not connected\\) /, ''); };
events.onopen = () => { document.title = document.title.replace(/^\\(not connected\\) /, ''); refresh(); };
`;

const policy = [
  ...["default-src 'none'", "style-src 'unsafe-inline'", 'img-src data:', "script-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'"],
].join('; ');

const headers = {
  // a page's own policy cannot say who may frame it
  'content-security-policy': `${policy}; frame-ancestors 'none'`,
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

const time = (path: string): number => {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

/** Changes whenever one of the runs has something new to show. */
function stateOf(paths: readonly string[]): string {
  return paths
    .flatMap((path) => {
      const results = filesBelow(join(path, 'evaluation'), '.json').map((name) => join('evaluation', name));
      return ['metrics.jsonl', 'summary.json', ...results].map((name) => time(join(path, name)));
    })
    .join();
}

/** Serves the report of runs on the loopback interface, with a push to the page whenever an epoch ends. @throws BulwarkError USAGE */
export async function serveLive(paths: readonly string[], options: LiveOptions): Promise<LiveReport> {
  const { port, every, warn, onChange } = options;
  let runs: RunRecord[] = await readRuns(paths, warn);
  let body = await reportBody(runs, { written: new Date() });
  const folders = runs.map(({ path }) => path);
  const listeners = new Set<ServerResponse>();

  // a map: `constructor` and the like are no paths of ours
  const answers = new Map<string, (response: ServerResponse) => void>([
    [
      '/',
      (response) => {
        const title = `Bulwark: ${runs.map(({ label }) => label).join(', ')}`;
        const head = html`<script src="/live.js" defer></script>`;
        response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8' });
        response.end(page(title, body, { head, policy }));
      },
    ],
    [
      '/live.js',
      (response) => {
        response.writeHead(200, { ...headers, 'content-type': 'text/javascript; charset=utf-8' });
        response.end(script);
      },
    ],
    [
      '/body',
      (response) => {
        response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8' });
        response.end(body.text);
      },
    ],
    [
      '/events',
      (response) => {
        response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
        response.write(': follow\n\n');
        listeners.add(response);
        response.on('close', () => listeners.delete(response));
      },
    ],
  ]);

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const { port: own } = server.address() as AddressInfo;
    // a page elsewhere whose name resolves to this machine must not read the runs
    const known = [`${loopback}:${own}`, `localhost:${own}`].includes(request.headers.host ?? '');
    const answer = known && request.method === 'GET' ? answers.get(request.url ?? '') : undefined;
    if (answer) return answer(response);
    response.writeHead(known ? 404 : 403, headers).end();
  });

  let shown = stateOf(folders);
  let busy = false;
  const update = async () => {
    const state = stateOf(folders);
    if (state === shown) return;
    shown = state;
    runs = await readRuns(paths, warn);
    body = await reportBody(runs, { written: new Date() });
    onChange?.(Object.fromEntries(runs.map(({ label, metrics }) => [label, metrics.length])));
    for (const listener of listeners) listener.write(`data: ${runs.map(({ metrics }) => metrics.length).join()}\n\n`);
  };
  /** Whatever is wrong with a run at the moment: what was shown stays until it can be read again. */
  const look = async () => {
    if (busy) return;
    busy = true;
    try {
      await update();
    } catch (error) {
      warn((error as Error).message);
    } finally {
      busy = false;
    }
  };

  await new Promise<void>((listening, failed) => {
    server.once('error', (cause) =>
      failed(
        new BulwarkError('USAGE', `port ${port} cannot be used: ${cause.message}`, {
          hint: 'give another --port, or none for a free one',
          cause,
        }),
      ),
    );
    server.listen(port, loopback, listening);
  });
  server.on('error', (error) => warn(error.message));
  const timer = setInterval(() => void look(), every);
  return {
    url: `http://${loopback}:${(server.address() as AddressInfo).port}/`,
    close() {
      clearInterval(timer);
      for (const listener of listeners) listener.end();
      return new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      });
    },
  };
}
