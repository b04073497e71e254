import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { writeIdx } from '../formats/idx.js';
import { fetchDataSet } from './fetch.js';
import { withLock } from './lock.js';
import { hashFile, transfer } from './transfer.js';

/** Small files with MNIST's names and layout. Their checksums are not the published ones. */
const idxFile = (count: number, rank: 1 | 3) =>
  gzipSync(
    writeIdx({
      shape: rank === 3 ? [count, 28, 28] : [count],
      data: Uint8Array.from({ length: rank === 3 ? count * 784 : count }, (_, i) =>
        rank === 3 ? (i * 31) % 256 : i % 10,
      ),
    }),
  );

const files: Record<string, Uint8Array> = {
  'train-images-idx3-ubyte.gz': idxFile(40, 3),
  'train-labels-idx1-ubyte.gz': idxFile(40, 1),
  't10k-images-idx3-ubyte.gz': idxFile(20, 3),
  't10k-labels-idx1-ubyte.gz': idxFile(20, 1),
};

let root: string;
let server: Server;
let url: string;
let requests: { path: string; range: string | undefined }[];
/** What the server does; tests replace it. */
let answer: (request: IncomingMessage, response: ServerResponse) => void;

function serveRanges(request: IncomingMessage, response: ServerResponse): void {
  const body = files[request.url!.slice(1)];
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  if (!body) response.writeHead(404).end();
  else if (!range) response.writeHead(200, { 'content-length': body.length }).end(body);
  else if (Number(range[1]) >= body.length) response.writeHead(416).end();
  else {
    const part = body.subarray(Number(range[1]));
    const headers = {
      'content-length': part.length,
      'content-range': `bytes ${range[1]}-${body.length - 1}/${body.length}`,
    };
    response.writeHead(206, headers).end(part);
  }
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'bulwark-fetch-'));
  requests = [];
  answer = serveRanges;
  server = createServer((request, response) => {
    requests.push({ path: request.url!.slice(1), range: request.headers.range });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

const staging = () => join(root, '.mnist.fetching');
const fetchMnist = (options: object = {}) => fetchDataSet('mnist', { root, from: url, unchecked: true, ...options });

describe('bulwark data fetch', () => {
  it('downloads a set and puts it in place whole', async () => {
    const seen: string[] = [];
    const fetched = await fetchMnist({ onProgress: ({ file }: { file: string }) => seen.push(file) });
    expect(fetched).toEqual({ folder: join(root, 'mnist'), isNew: true });
    expect(readdirSync(fetched.folder).sort()).toEqual(Object.keys(files).sort());
    expect(new Set(seen)).toEqual(new Set(Object.keys(files)));
    expect(readdirSync(root)).toEqual(['mnist']);
    expect(await fetchMnist()).toEqual({ folder: join(root, 'mnist'), isNew: false });
  });

  it('goes on where an interrupted download stopped', async () => {
    mkdirSync(staging(), { recursive: true });
    writeFileSync(
      join(staging(), 'train-images-idx3-ubyte.gz.part'),
      files['train-images-idx3-ubyte.gz']!.subarray(0, 100),
    );
    writeFileSync(join(staging(), 'train-labels-idx1-ubyte.gz'), files['train-labels-idx1-ubyte.gz']!);
    const { folder } = await fetchMnist();
    expect(requests[0]).toEqual({ path: 'train-images-idx3-ubyte.gz', range: 'bytes=100-' });
    expect(requests.map(({ path }) => path)).not.toContain('train-labels-idx1-ubyte.gz');
    expect(readFileSync(join(folder, 'train-images-idx3-ubyte.gz')).equals(files['train-images-idx3-ubyte.gz']!)).toBe(
      true,
    );
  });

  it('starts a file again when the server does not know ranges', async () => {
    answer = (request, response) => void response.writeHead(200).end(files[request.url!.slice(1)]);
    mkdirSync(staging(), { recursive: true });
    writeFileSync(join(staging(), 'train-images-idx3-ubyte.gz.part'), 'something else');
    const { folder } = await fetchMnist();
    expect(readFileSync(join(folder, 'train-images-idx3-ubyte.gz')).equals(files['train-images-idx3-ubyte.gz']!)).toBe(
      true,
    );
  });

  it('says how far it came when the connection breaks, and leaves no set behind', async () => {
    answer = (request, response) => {
      const body = files[request.url!.slice(1)]!;
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 50));
      // breaks when the first bytes have reached the disk
      const part = join(staging(), `${request.url!.slice(1)}.part`);
      const timer = setInterval(() => {
        if (!existsSync(part) || statSync(part).size < 50) return;
        clearInterval(timer);
        response.destroy();
      }, 5);
    };
    await expect(fetchMnist()).rejects.toMatchObject({
      code: 'DATA_FETCH',
      hint: expect.stringContaining('run it again'),
    });
    expect(existsSync(join(root, 'mnist'))).toBe(false);
    answer = serveRanges;
    expect((await fetchMnist()).isNew).toBe(true);
    expect(requests.some(({ range }) => range !== undefined)).toBe(true);
  });

  it('refuses a file whose checksum differs, names both sums, and does not resume from it', async () => {
    const found = createHash('md5').update(files['train-images-idx3-ubyte.gz']!).digest('hex');
    await expect(fetchMnist({ unchecked: false })).rejects.toThrow(
      `train-images-idx3-ubyte.gz: the MD5 checksum is ${found}; expected f68b3c2dcbeaaa9fbdd348bbdeb94873`,
    );
    expect(existsSync(join(root, 'mnist'))).toBe(false);
    expect(readdirSync(staging())).toEqual([]);
  });

  it('does not keep a set that cannot be read, checked or not', async () => {
    const wrong = idxFile(39, 1);
    answer = (request, response) =>
      request.url!.includes('train-labels') ? void response.end(wrong) : serveRanges(request, response);
    await expect(fetchMnist()).rejects.toMatchObject({ code: 'DATA_CORRUPT' });
    expect(existsSync(join(root, 'mnist'))).toBe(false);
    answer = serveRanges;
    expect((await fetchMnist()).isNew).toBe(true);
  });

  it('passes on what the server answered', async () => {
    answer = (_request, response) => void response.writeHead(503).end();
    await expect(fetchMnist()).rejects.toThrow(/train-images-idx3-ubyte\.gz: the server answered 503/);
    await expect(fetchMnist({ from: 'http://127.0.0.1:1' })).rejects.toMatchObject({ code: 'DATA_FETCH' });
  });

  (existsSync('/dev/full') ? it : it.skip)('says that the disk is full', async () => {
    mkdirSync(staging(), { recursive: true });
    symlinkSync('/dev/full', join(staging(), 'train-images-idx3-ubyte.gz.part'));
    await expect(fetchMnist()).rejects.toMatchObject({
      code: 'DATA_FETCH',
      message: expect.stringContaining('the disk is full'),
      hint: expect.stringContaining('BULWARK_DATA'),
    });
    expect(existsSync(join(root, 'mnist'))).toBe(false);
  });

  it('lets one of two fetchers work and tells the other', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    answer = (request, response) => void held.then(() => serveRanges(request, response));
    const first = fetchMnist();
    await expect(fetchMnist()).rejects.toThrow(`process ${process.pid} is fetching this data set already`);
    release();
    expect((await first).isNew).toBe(true);
  });

  it('takes over the lock of a process that has died', async () => {
    const lock = join(root, '.mnist.lock');
    const { hostname } = await import('node:os');
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname() }));
    expect((await fetchMnist()).isNew).toBe(true);
    expect(existsSync(lock)).toBe(false);
    writeFileSync(lock, JSON.stringify({ pid: 1, host: 'another machine' }));
    await expect(withLock(lock, async () => 1)).rejects.toThrow('fetching this data set already');
  });

  it('takes a folder of the published files, or of unpacked ones', async () => {
    const folder = join(root, 'mine');
    mkdirSync(folder);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    expect((await fetchMnist({ from: folder })).isNew).toBe(true);
    const { gunzipSync } = await import('node:zlib');
    const unpacked = join(root, 'unpacked');
    mkdirSync(unpacked);
    for (const [name, bytes] of Object.entries(files))
      writeFileSync(join(unpacked, name.slice(0, -3)), gunzipSync(bytes));
    expect((await fetchMnist({ from: unpacked, force: true, unchecked: false })).isNew).toBe(true);
    expect(readdirSync(join(root, 'mnist'))).toContain('train-images-idx3-ubyte');
    rmSync(join(unpacked, 't10k-labels-idx1-ubyte'));
    await expect(fetchMnist({ from: unpacked, force: true })).rejects.toThrow('does not hold mnist');
    // what was there stays
    expect((await fetchMnist()).isNew).toBe(false);
  });

  it('names the sets that it knows', async () => {
    await expect(fetchDataSet('imagenet', { root })).rejects.toThrow(
      /known: cifar10, cifar100, svhn, fashion-mnist, mnist/,
    );
  });
});

/** A tar archive of zero-filled files. */
function tarOf(entries: readonly [name: string, size: number][]): Buffer {
  const blocks = entries.flatMap(([name, size]) => {
    const header = Buffer.alloc(512);
    header.write(name);
    header.write(
      `0000644\0${'0000000\0'.repeat(2)}${size.toString(8).padStart(11, '0')}\0${'0'.repeat(11)}\0        0`,
      100,
    );
    header.write('ustar\u000000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, Buffer.alloc(Math.ceil(size / 512) * 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

describe('an archive', () => {
  const members = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`).concat('test_batch.bin');

  it('is unpacked to the wanted files and not kept', async () => {
    const entries = [...members, '../outside', 'readme.html'].map(
      (name) => [`cifar-10-batches-bin/${name}`, members.includes(name) ? 30730000 : 10] as [string, number],
    );
    const body = gzipSync(tarOf(entries), { level: 1 });
    answer = (_request, response) => void response.end(body);
    const { folder } = await fetchDataSet('cifar10', { root, from: url, unchecked: true });
    expect(readdirSync(folder)).toEqual(['cifar-10-batches-bin']);
    expect(readdirSync(join(folder, 'cifar-10-batches-bin')).sort()).toEqual(members);
    expect(readdirSync(root)).toEqual(['cifar10']);
  });

  it('without a wanted file is refused by its name', async () => {
    const body = gzipSync(tarOf([['cifar-10-batches-bin/data_batch_1.bin', 10]]));
    answer = (_request, response) => void response.end(body);
    await expect(fetchDataSet('cifar10', { root, from: url, unchecked: true })).rejects.toThrow(
      'cifar-10-binary.tar.gz: the archive has no cifar-10-batches-bin/data_batch_2.bin',
    );
    expect(existsSync(join(root, 'cifar10'))).toBe(false);
  });
});

describe('a transfer', () => {
  it('hashes a file and its contents', async () => {
    const path = join(root, 'a.gz');
    writeFileSync(path, gzipSync('hello'));
    const contents = createHash('sha256').update('hello').digest('hex');
    expect(await hashFile(path, { algorithm: 'sha256', gunzip: true })).toBe(contents);
  });

  it('takes a file that is already complete as it is', async () => {
    const part = join(root, 'x.part');
    writeFileSync(part, files['train-labels-idx1-ubyte.gz']!);
    await transfer({ url: `${url}/train-labels-idx1-ubyte.gz` }, part, { file: 'x' });
    expect(readFileSync(part).equals(files['train-labels-idx1-ubyte.gz']!)).toBe(true);
  });
});
