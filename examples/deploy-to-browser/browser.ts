// Just enough of Chromium's DevTools protocol, over a pipe, to look at one page.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

function executable(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const found = [
    process.env['CHROME'] ?? '',
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
  ].find(existsSync);
  if (!found) throw new Error('no Chromium found: install it (apt-get install chromium), or name it in $CHROME');
  return found;
}

/** A page in a headless browser. */
export interface Page {
  /** Value of an expression in the page; promises are awaited. */
  evaluate<T>(expression: string): Promise<T>;
  click(x: number, y: number): Promise<void>;
  drag(from: readonly [number, number], to: readonly [number, number]): Promise<void>;
  /** PNG of the whole page. */
  screenshot(): Promise<Buffer>;
  /** Errors and warnings of the page's console. */
  readonly complaints: readonly string[];
  close(): void;
}

type Message = {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
};

/** Opens a page of this size and waits until its resources are there. */
export async function openPage(url: string, size: { width: number; height: number }): Promise<Page> {
  const profile = mkdtempSync(join(tmpdir(), 'bulwark-chromium-'));
  const flags = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
  ];
  const child = spawn(executable(), flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
  const [send, receive] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, (message: Message) => void>();
  const complaints: string[] = [];
  let loaded: () => void = () => undefined;
  let rest = '';
  receive.setEncoding('utf8').on('data', (chunk: string) => {
    const parts = (rest + chunk).split('\0');
    rest = parts.pop()!;
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      if (message.id !== undefined) waiting.get(message.id)?.(message);
      else if (message.method === 'Page.loadEventFired') loaded();
      else if (message.method === 'Runtime.exceptionThrown')
        complaints.push(JSON.stringify(message.params).slice(0, 500));
      else if (message.method === 'Log.entryAdded')
        complaints.push(JSON.stringify(message.params!['entry']).slice(0, 500));
    }
  });
  let count = 0;
  const call = (method: string, params: object = {}, sessionId?: string) =>
    new Promise<Record<string, unknown>>((resolve, reject) => {
      const id = ++count;
      waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result!),
      );
      send.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await call('Target.attachToTarget', { targetId, flatten: true });
  const on = (method: string, params: object = {}) => call(method, params, sessionId as string);
  for (const domain of ['Page', 'Runtime', 'Log']) await on(`${domain}.enable`);
  await on('Emulation.setDeviceMetricsOverride', { ...size, deviceScaleFactor: 1, mobile: false });
  const ready = new Promise<void>((resolve) => (loaded = resolve));
  await on('Page.navigate', { url });
  await ready;
  const mouse = (type: string, [x, y]: readonly [number, number], buttons = 0) =>
    on('Input.dispatchMouseEvent', { type, x, y, button: 'left', buttons, clickCount: 1 });
  const drag = async (from: readonly [number, number], to: readonly [number, number]) => {
    await mouse('mousePressed', from, 1);
    for (let i = 1; i <= 20; i++)
      await mouse('mouseMoved', [from[0] + ((to[0] - from[0]) * i) / 20, from[1] + ((to[1] - from[1]) * i) / 20], 1);
    await mouse('mouseReleased', to);
  };
  return {
    complaints,
    async evaluate<T>(expression: string) {
      const { result, exceptionDetails } = await on('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
      });
      if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails).slice(0, 500));
      return (result as { value: T }).value;
    },
    drag,
    click: (x, y) => drag([x, y], [x, y]),
    async screenshot() {
      const { data } = await on('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
      return Buffer.from(data as string, 'base64');
    },
    close() {
      child.kill();
      // Chromium's other processes write into it for a moment longer, so it is tried again from the start
      const remove = (tries: number): void => {
        try {
          rmSync(profile, { recursive: true, force: true });
        } catch (error) {
          if (tries === 0) throw error;
          setTimeout(() => remove(tries - 1), 200);
        }
      };
      child.once('exit', () => remove(50));
    },
  };
}
