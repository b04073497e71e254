import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serve } from './serve.js';

/** What a server answers to a request line that no client library would send; the connection is cut after `bytes`. */
const raw = (port: number, line: string, bytes = 4096) =>
  new Promise<string>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${line}\r\nHost: x\r\nConnection: close\r\n\r\n`));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.length >= bytes) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });

describe('the static server', () => {
  const root = join(mkdtempSync(join(tmpdir(), 'bulwark-site-')), 'site');
  let server: Server;
  let port: number;

  beforeAll(async () => {
    mkdirSync(join(root, 'folder'), { recursive: true });
    writeFileSync(join(root, '..', 'secret.txt'), 'TOP SECRET');
    writeFileSync(join(root, 'index.html'), '<p>hello</p>');
    writeFileSync(join(root, 'page.js'), '1');
    writeFileSync(join(root, 'large.bin'), new Uint8Array(8 * 2 ** 20));
    let url: string;
    ({ server, url } = await serve(0, root));
    port = Number(new URL(url).port);
  });
  afterAll(() => void server.close());

  it('serves files with their types', async () => {
    expect(await raw(port, 'GET / HTTP/1.1')).toMatch(/200 OK[^]*text\/html[^]*<p>hello<\/p>/);
    expect(await raw(port, 'GET /page.js?v=1 HTTP/1.1')).toMatch(/200 OK[^]*text\/javascript/);
  });

  it.each([
    ...['/%', 'http://[/', '/%00', '/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt', '/folder', '/folder/'],
    ...[
      '/\\..\\secret.txt',
      '*',
      'page',
      '/constructor',
      '/__proto__',
      `/${'a'.repeat(5000)}`,
      '/page.js/',
      '//evil/x',
    ],
  ])('answers %s without leaving its folder, and lives on', async (path) => {
    const answer = await raw(port, `GET ${path} HTTP/1.1`);
    expect(answer).toMatch(/^HTTP\/1\.1 (30[13]|4\d\d) /);
    expect(answer).not.toContain('TOP SECRET');
    expect(await raw(port, 'GET / HTTP/1.1')).toContain('200 OK');
  });

  const descriptors = () => readdirSync('/proc/self/fd').length;
  (process.platform === 'linux' ? it : it.skip)('keeps no file open for downloads that are broken off', async () => {
    const before = descriptors();
    await Promise.all(Array.from({ length: 50 }, () => raw(port, 'GET /large.bin HTTP/1.1', 1)));
    for (let i = 0; i < 50 && descriptors() > before + 5; i++) await wait(100);
    expect(descriptors()).toBeLessThanOrEqual(before + 5);
  });
});
