import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RunHandle } from '@bulwark/core';
import { startTiny, temporaryFolder } from '../train/testing.js';
import { serveLive, type LiveReport } from './live-server.js';

describe('bulwark watch', () => {
  const folder = join(temporaryFolder(), 'run');
  const changes: Record<string, number>[] = [];
  const warnings: string[] = [];
  let run: RunHandle;
  let live: LiveReport;

  beforeAll(async () => {
    run = await startTiny({ epochs: 3 }, folder);
    const onChange = (epochs: Record<string, number>) => void changes.push(epochs);
    live = await serveLive([folder], { port: 0, every: 20, warn: (text) => void warnings.push(text), onChange });
  });
  afterAll(async () => {
    await live.close();
    run.dispose();
  });

  const get = async (path: string) => (await fetch(new URL(path, live.url))).text();

  it('shows a run before its first epoch has ended, with nothing from elsewhere', async () => {
    const page = await get('/');
    expect(page).toContain('No epoch has ended yet');
    expect(page).toContain('<script src="/live.js" defer></script>');
    expect(page).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
  });

  it('tells its pages when epochs have ended, and then shows them', async () => {
    const events = await fetch(new URL('/events', live.url));
    const reader = events.body!.getReader();
    const seen: number[] = [];
    const told = (async () => {
      const decoder = new TextDecoder();
      while (seen.at(-1) !== 3) {
        const { done, value } = await reader.read();
        if (done) return;
        for (const [, epochs] of decoder.decode(value).matchAll(/data: (\d+)/g)) seen.push(Number(epochs));
      }
    })();
    await run.train();
    await told;
    await reader.cancel();
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(changes.at(-1)).toEqual({ tiny: 3 });
    expect(await get('/body')).toContain('3 of 3');
  });

  it('answers only on the loopback interface, to its own name, and only what it has', async () => {
    expect(new URL(live.url).hostname).toBe('127.0.0.1');
    expect((await fetch(new URL('/config.json', live.url))).status).toBe(404);
    expect((await fetch(live.url, { method: 'POST' })).status).toBe(404);
    const status = await new Promise((answered) => {
      const { port } = new URL(live.url);
      request({ host: '127.0.0.1', port, headers: { host: 'evil.example' } }, (response) => {
        response.resume();
        answered(response.statusCode);
      }).end();
    });
    expect(status).toBe(403);
  });

  it('lives through whatever becomes of a run, and shows what it had', async () => {
    const file = (name: string) => join(folder, name);
    const metrics = readFileSync(file('metrics.jsonl'), 'utf8');
    const config = readFileSync(file('config.json'), 'utf8');
    warnings.length = 0;
    const told = async (text: RegExp) => {
      for (let i = 0; i < 200 && !warnings.some((warning) => text.test(warning)); i++) await wait(20);
      expect(warnings.join('\n')).toMatch(text);
      expect(await get('/body')).toContain('3 of 3');
      warnings.length = 0;
    };
    for (const line of ['null', '{"epoch":1}', '[]', '{"epoch":{"html":"<b>"}}', '{']) {
      writeFileSync(file('metrics.jsonl'), `${line}\n`);
      await told(/metrics\.jsonl is damaged in line 1/);
    }
    writeFileSync(file('metrics.jsonl'), metrics);
    writeFileSync(file('timings.jsonl'), 'null\n{"epoch":1}\n{');
    writeFileSync(file('summary.json'), '{"best":{"epoch":1}}');
    await told(/summary\.json holds no summary of a run/);
    rmSync(file('summary.json'));
    writeFileSync(file('evaluation'), 'a file');
    writeFileSync(file('config.json'), '[]');
    writeFileSync(file('metrics.jsonl'), `${metrics}\n`);
    await told(/config\.json was changed/);
    rmSync(file('evaluation'));
    mkdirSync(join(file('evaluation'), 'folder.json'), { recursive: true });
    spawnSync('mkfifo', [join(file('evaluation'), 'pipe.json')]);
    writeFileSync(file('config.json'), config);
    writeFileSync(join(file('evaluation'), 'null.json'), 'null');
    await told(/null\.json is left out/);
    for (const path of ['/constructor', '/__proto__', '//', '/%', '/body/', '/?x'])
      expect((await fetch(`${live.url.slice(0, -1)}${path}`)).status).toBe(404);
    expect(await get('/body')).toContain('3 of 3');
  });

  it('says so when its port is taken', async () => {
    const port = Number(new URL(live.url).port);
    await expect(serveLive([folder], { port, every: 1000, warn: () => undefined })).rejects.toThrow(
      `port ${port} cannot be used`,
    );
  });
});
