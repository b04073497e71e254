import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
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

const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'self'; connect-src 'self'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

const time = (path: string) => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** Changes whenever one of the runs has something new to show. */
function stateOf(paths: readonly string[]): string {
  return paths
    .flatMap((path) => {
      const evaluation = join(path, 'evaluation');
      const results = existsSync(evaluation) ? readdirSync(evaluation, { recursive: true, encoding: 'utf8' }) : [];
      return ['metrics.jsonl', 'summary.json', ...results.map((name) => join('evaluation', name))].map((name) =>
        time(join(path, name)),
      );
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

  const answers: Readonly<Record<string, (response: ServerResponse) => void>> = {
    '/': (response) => {
      const title = `Bulwark: ${runs.map(({ label }) => label).join(', ')}`;
      response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8' });
      response.end(page(title, body, html`<script src="/live.js" defer></script>`));
    },
    '/live.js': (response) => {
      response.writeHead(200, { ...headers, 'content-type': 'text/javascript; charset=utf-8' });
      response.end(script);
    },
    '/body': (response) => {
      response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8' });
      response.end(body.html);
    },
    '/events': (response) => {
      response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
      response.write(': follow\n\n');
      listeners.add(response);
      response.on('close', () => listeners.delete(response));
    },
  };

  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const { port: own } = server.address() as AddressInfo;
    // a page elsewhere whose name resolves to this machine must not read the runs
    const known = [`${loopback}:${own}`, `localhost:${own}`].includes(request.headers.host ?? '');
    const answer = known && request.method === 'GET' ? answers[request.url ?? ''] : undefined;
    if (answer) return answer(response);
    response.writeHead(known ? 404 : 403, headers).end();
  });

  let shown = stateOf(folders);
  let busy = false;
  const look = async () => {
    const state = stateOf(folders);
    if (busy || state === shown) return;
    busy = true;
    try {
      runs = await readRuns(paths, warn);
      body = await reportBody(runs, { written: new Date() });
      shown = state;
      onChange?.(Object.fromEntries(runs.map(({ label, metrics }) => [label, metrics.length])));
      for (const listener of listeners) listener.write(`data: ${runs.map(({ metrics }) => metrics.length).join()}\n\n`);
    } catch (error) {
      if (!(error instanceof BulwarkError)) throw error;
      warn(error.message); // what was shown stays until the run can be read again
      shown = state;
    } finally {
      busy = false;
    }
  };

  await new Promise<void>((listening, failed) => {
    server.once('error', (cause) =>
      failed(
        new BulwarkError('USAGE', `port ${port} cannot be used: ${cause.message}`, {
          cure: 'give another --port, or none for a free one',
          cause,
        }),
      ),
    );
    server.listen(port, loopback, listening);
  });
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
