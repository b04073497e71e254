import { statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { filesBelow } from '../run-folders.js';
import { page } from './build-report.js';
import { liveBodies, script } from './live-page.js';
import { filterBar, viewOf, type View } from './live-view.js';
import { Html, html } from './page/html.js';
import { foldersOf, readRuns, type RunRecord } from './read-run.js';

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

const everything: View = { words: [], hidden: new Set() };

const time = (path: string): number => {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};

/** Changes whenever one of the runs has something new to show, or there is another one. */
function stateOf(paths: readonly string[]): string {
  return foldersOf(paths)
    .flatMap((path) => {
      const results = filesBelow(join(path, 'evaluation'), '.json').map((name) => join('evaluation', name));
      return [path, ...['metrics.jsonl', 'summary.json', ...results].map((name) => time(join(path, name)))];
    })
    .join();
}

/** Serves the report of runs on the loopback interface, with a push to the page whenever an epoch ends. @throws BulwarkError USAGE */
export async function serveLive(paths: readonly string[], options: LiveOptions): Promise<LiveReport> {
  const { port, every, warn, onChange } = options;
  let shown = stateOf(paths);
  let runs: RunRecord[] = await readRuns(paths, warn);
  let bodyOf = liveBodies(runs);
  await bodyOf(everything);
  const listeners = new Set<ServerResponse>();

  // a map: `constructor` and the like are no paths of ours
  const answers = new Map<string, (response: ServerResponse, query: URLSearchParams) => void | Promise<void>>([
    [
      '/',
      async (response) => {
        const title = `Bulwark: ${runs.length > 3 ? `${runs.length} runs` : runs.map(({ label }) => label).join(', ')}`;
        const head = html`<script src="/live.js" defer></script>`;
        const body = html`${runs.length > 1 && filterBar}${Html.own(await bodyOf(everything))}`;
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
      async (response, query) => {
        const view = viewOf(query);
        if (!view) return void response.writeHead(404, headers).end();
        const body = await bodyOf(view);
        response.writeHead(200, { ...headers, 'content-type': 'text/html; charset=utf-8' });
        response.end(body);
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
    const [path, query] = (request.url ?? '').split(/\?(.*)/s) as [string, string | undefined];
    const answer = known && request.method === 'GET' ? answers.get(path) : undefined;
    if (!answer || (query !== undefined && path !== '/body'))
      return void response.writeHead(known ? 404 : 403, headers).end();
    Promise.resolve(answer(response, new URLSearchParams(query))).catch((error: Error) => {
      warn(error.message);
      if (!response.headersSent) response.writeHead(500, headers);
      response.end();
    });
  });

  let busy = false;
  const update = async () => {
    const state = stateOf(paths);
    if (state === shown) return;
    shown = state;
    const found = await readRuns(paths, warn);
    const bodies = liveBodies(found);
    await bodies(everything);
    [runs, bodyOf] = [found, bodies];
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
