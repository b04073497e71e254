import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createNetwork, createRandom, useEngine } from '@bulwark/core';
import { encodePng } from '@bulwark/datasets';
import { saveWeights, smallCnn } from '@bulwark/models';

// runs what was built, as a service does: `npm run build` first
const service = fileURLToPath(new URL('service.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bulwark-service-'));
const shape = [8, 8, 3] as const;
const limit = 20_000;
let child: ChildProcess;
let url: string;
let errors = '';

beforeAll(async () => {
  await useEngine('wasm');
  const architecture = { use: 'small-cnn', width: 2 };
  const graph = smallCnn({ inputShape: shape, classes: 2, width: 2 });
  const network = createNetwork(graph, { name: 'small-cnn', architecture, random: createRandom(1, 'weights') });
  saveWeights(network, join(folder, 'model.safetensors'), { classNames: ['cat', 'dog'] });
  const flags = ['--port', '0', '--threads', '1', '--queue', '4', '--batch', '1', '--max-bytes', String(limit)];
  child = spawn(process.execPath, [service, join(folder, 'model.safetensors'), ...flags]);
  child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  url = await new Promise((resolve, reject) => {
    createInterface(child.stdout!).once('line', (line) => resolve(line.replace('listening on ', '')));
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}: ${errors}`)));
  });
  while ((await fetch(`${url}/health`)).status !== 200) await wait(50);
});
afterAll(async () => {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await ended).toBe(0);
  rmSync(folder, { recursive: true });
});

const png = (seed: number) =>
  encodePng(
    Uint8Array.from({ length: 192 }, (_, i) => (i * seed) % 256),
    shape,
  );
const post = async (body: Uint8Array) => {
  const response = await fetch(`${url}/predict`, { method: 'POST', body: Buffer.from(body) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};
const healthy = async () => expect((await fetch(`${url}/health`)).status).toBe(200);

describe('the service', () => {
  it('says what it is and what an image shows', async () => {
    expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
      ready: 1,
      inputShape: shape,
      classNames: ['cat', 'dog'],
    });
    const { status, body } = await post(png(5));
    expect(status).toBe(200);
    const { cat, dog } = body['probabilities'] as { cat: number; dog: number };
    expect(cat + dog).toBeCloseTo(1, 6);
    expect(body['label']).toBe(cat > dog ? 'cat' : 'dog');
  });

  it.each([
    ['nothing', new Uint8Array(), /body is empty/],
    ['text', Buffer.from('hello'), /neither an image file/],
    ['a PNG that is cut off', png(3).subarray(0, 50), /image/],
    ['a GIF', Buffer.from('GIF89a\x08\0\x08\0\0\0\0;'), /GIF/],
    ['an image of another size', encodePng(new Uint8Array(27), [3, 3, 3]), /3x3 pixels; the model takes 8x8/],
    ['a PNG that claims to be huge', Buffer.from(png(3)).fill(0xff, 16, 24), /image/],
    ['random bytes', createBytes(500), /neither an image file/],
  ])('answers 400 with a reason to %s', async (_what, body, reason) => {
    const found = await post(body);
    expect(found.status).toBe(400);
    expect(found.body['error']).toMatch(reason);
    await healthy();
  });

  it('answers 413 to too much, announced or not', async () => {
    expect((await post(new Uint8Array(limit + 1))).status).toBe(413);
    const status = await new Promise((resolve) => {
      const request = httpRequest(`${url}/predict`, { method: 'POST' }, (response) => resolve(response.statusCode));
      request.on('error', () => undefined); // it is not read to the end
      for (let i = 0; i < 30; i++) request.write(Buffer.alloc(1000));
    });
    expect(status).toBe(413);
    await healthy();
  });

  it('answers 404 and 405 where there is nothing', async () => {
    for (const path of ['/else', '//', '/constructor', '/predict/'])
      expect((await fetch(`${url}${path}`)).status).toBe(404);
    expect((await fetch(`${url}/predict`)).status).toBe(405);
  });

  it('answers 503 under load, and everything that it took on', async () => {
    const found = await Promise.all(Array.from({ length: 100 }, (_, i) => post(png(i + 2))));
    expect([...new Set(found.map(({ status }) => status))].sort()).toEqual([200, 503]);
    for (const { status, body } of found)
      expect(body).toEqual(
        status === 200
          ? expect.objectContaining({ label: expect.any(String) })
          : { error: expect.stringMatching(/too many/) },
      );
    expect((await post(png(9))).status).toBe(200);
  });

  it('outlives requests that are cut off or are none', async () => {
    const { port } = new URL(url);
    for (const text of [
      'POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc',
      'GARBAGE\r\n\r\n',
      'GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n',
      '',
    ])
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => {
          socket.write(text);
          setTimeout(() => socket.destroy(), 50);
        });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
      });
    expect((await post(png(4))).status).toBe(200);
    expect(child.exitCode).toBeNull();
  });
});

/** Bytes of no meaning, the same in every run. */
function createBytes(count: number): Uint8Array {
  const random = createRandom(7, 'bytes');
  return Uint8Array.from({ length: count }, () => random.integer(256));
}
