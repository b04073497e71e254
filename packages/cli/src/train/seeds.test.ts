import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parseSeeds } from './seeds.js';
import { main, runCommand, runNode } from '../testing.js';
import { temporaryFolder } from './testing.js';

const bulwark = (...args: string[]) => runCommand(args);

describe('several seeds', () => {
  it('are written as ranges and lists', () => {
    expect(parseSeeds('1..4')).toEqual([1, 2, 3, 4]);
    expect(parseSeeds('3, 1..2, 2')).toEqual([3, 1, 2]);
    for (const wrong of ['', '4..1', 'a', '1..', '-1']) expect(() => parseSeeds(wrong)).toThrow('is no seed or range');
  });

  it('train in processes of their own, are not trained twice, and are compared', () => {
    const folder = temporaryFolder();
    const config = join(folder, 'tiny.json');
    writeFileSync(
      config,
      JSON.stringify({
        name: 'tiny',
        engine: 'wasm',
        data: { use: 'fashion-mnist-mini', limit: { train: 32, test: 20 }, validation: 20, batchSize: 16 },
        model: { use: 'mlp', width: 4, depth: 1 },
        threat: { epsilon: 0.1 },
        objective: 'natural',
        epochs: 1,
        evaluation: { attacks: ['fgsm'] },
      }),
    );
    const runs = join(folder, 'runs');
    const train = () => bulwark('train', config, '--seeds', '1..2', '--jobs', '2', '--out', runs);
    const first = train();
    expect(first.stderr).toBe('');
    expect(first.status).toBe(0);
    for (const seed of [1, 2]) expect(first.stdout).toMatch(new RegExp(`^\\[seed-${seed}\\] epoch 1/1  loss \\d`, 'm'));
    const second = train();
    expect(second.status).toBe(0);
    expect(second.stdout).toContain('seed-2: finished already');
    expect(second.stdout).not.toContain('epoch 1/1');

    const other = bulwark('train', config, '--seeds', '1', '--out', runs, '--set', 'epochs=2');
    expect(other).toMatchObject({ status: 1 });
    expect(other.stderr).toContain('holds a run with another config');

    const compared = bulwark('compare', runs, '--json');
    expect(compared.status).toBe(0);
    expect(JSON.parse(compared.stdout)).toMatchObject({
      columns: ['clean', 'fgsm', 'gap'],
      rows: [{ method: 'tiny', seeds: [1, 2] }],
    });
    const table = bulwark('compare', runs, '--out', join(folder, 'table.tex'), '--format', 'latex');
    expect(table.stdout).toContain('wrote');
  });

  it('are stopped with one interrupt and go on with the same command', () => {
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, process.argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
      let [out, sent] = ['', false];
      child.stdout.on('data', (chunk) => { out += chunk; if (!sent && out.includes('epoch ')) { sent = true; child.kill('SIGINT'); } process.stdout.write(chunk); });
      child.on('exit', (code) => process.exit(code));`;
    const folder = temporaryFolder();
    const config = join(folder, 'tiny.json');
    writeFileSync(
      config,
      JSON.stringify({
        name: 'tiny',
        engine: 'wasm',
        data: { use: 'fashion-mnist-mini', limit: { train: 64, test: 20 }, validation: 20, batchSize: 16 },
        model: { use: 'mlp', width: 4, depth: 1 },
        threat: { epsilon: 0.1 },
        objective: 'natural',
        epochs: 2000,
        evaluation: { attacks: ['fgsm'] },
        guard: { collapse: { epochs: 0 } },
      }),
    );
    const runs = join(folder, 'runs');
    const stopped = runNode(['-e', script, main, 'train', config, '--seeds', '5,6', '--out', runs]);
    expect(stopped.status).toBe(130);
    expect(stopped.stderr).toContain('the same command goes on where this one stopped');
    const compared = bulwark('compare', runs);
    expect(compared.status).toBe(1);
    expect(compared.stderr).toContain('is not finished and left out');
  });
});
