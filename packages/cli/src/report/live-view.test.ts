import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startTiny, temporaryFolder } from '../train/testing.js';
import { serveLive, type LiveReport } from './live-server.js';

describe('bulwark watch over many runs', () => {
  const folder = temporaryFolder();
  let live: LiveReport;

  const train = async (name: string, change: object) => {
    const run = await startTiny({ epochs: 2, ...change }, join(folder, name));
    await run.train();
    run.dispose();
  };
  beforeAll(async () => {
    await train('a', { name: 'many', seed: 1 });
    await train('b', { name: 'many', seed: 2 });
    await train('c', { name: 'few', epochs: 1 });
    live = await serveLive([folder], { port: 0, every: 20, warn: () => undefined });
  });
  afterAll(() => live.close());

  const get = async (path: string) => (await fetch(new URL(path, live.url))).text();
  const boxes = (body: string) =>
    [...body.matchAll(/<input type="checkbox" value="([^"]*)" (checked|) ?\/>/g)].map(([, label, on]) => [label, on]);

  it('has a filter, and a box for each config with its seeds', async () => {
    expect(await get('/')).toContain('<input type="search" name="filter"');
    const body = await get('/body');
    expect(body).toContain('3 of 3 runs');
    expect(boxes(body)).toEqual([
      ['many, 2 seeds', 'checked'],
      ['few', 'checked'],
    ]);
    expect(body).toContain('bands reach from the lowest to the highest');
  });

  it.each([
    ['seed=2', '1 of 3 runs'],
    ['seed=22', '0 of 3 runs'],
    ['MANY epochs=2', '2 of 3 runs'],
    ['many epochs=1', '0 of 3 runs'],
    ['few', '1 of 3 runs'],
  ])('shows runs with %s', async (words, shown) => {
    const body = await get(`/body?${new URLSearchParams({ filter: words }).toString()}`);
    expect(body).toContain(shown);
    expect(body.includes('<h2>Accuracy</h2>')).toBe(!shown.startsWith('0'));
    expect(body.includes('no run has these words')).toBe(shown.startsWith('0'));
  });

  it('leaves out what is unticked, and keeps its box', async () => {
    const body = await get(`/body?${new URLSearchParams({ hide: 'many, 2 seeds' }).toString()}`);
    expect(body).toContain('1 of 3 runs');
    expect(boxes(body)[0]).toEqual(['many, 2 seeds', '']);
    expect(body).not.toContain('many seed 1</td>');
  });

  it('answers no other question, and a long one like any other', async () => {
    for (const path of ['/body?run=1', '/?filter=a', '/events?filter=a', '/live.js?hide=a'])
      expect((await fetch(new URL(path, live.url))).status).toBe(404);
    for (let i = 0; i < 40; i++) expect(await get(`/body?filter=${'x'.repeat(200)}${i}`)).toContain('0 of 3 runs');
  });

  it('takes in a run that begins later', async () => {
    await train('d', { name: 'late', epochs: 1 });
    for (let i = 0; i < 500 && !(await get('/body')).includes('4 of 4 runs'); i++)
      await new Promise((next) => setTimeout(next, 20));
    expect(boxes(await get('/body')).map(([label]) => label)).toContain('late');
  });
});
