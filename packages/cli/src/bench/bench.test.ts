import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { peakBytes } from '@bulwark/core/run';
import { resetPeak } from './memory.js';
import { runCommand } from '../testing.js';
import type { EngineBench } from './bench-engine.js';
import { benchReport, digits, spread } from './report.js';
import { mapSample, sampleOf, sampleSeconds } from './sample.js';

/** Runs the built command where there is no native engine. */
function bulwark(...args: string[]) {
  const env = { ...process.env, NO_COLOR: '1', BULWARK_CACHE: join(tmpdir(), 'bulwark-no-cache') };
  return runCommand(args, { cwd: mkdtempSync(join(tmpdir(), 'bulwark-bench-')), env, seconds: 300 });
}

describe('samples', () => {
  it('have the median and the extremes', () => {
    expect(sampleOf([3, 1, 2])).toEqual({ median: 2, lowest: 1, highest: 3, runs: 3 });
    expect(sampleOf([4, 1, 2, 3]).median).toBe(2.5);
  });
  it('stay in order when they become rates', () => {
    expect(mapSample(sampleOf([1, 2, 4]), (s) => 8 / s)).toEqual({ median: 4, lowest: 2, highest: 8, runs: 3 });
  });
  it('run at least once, and no longer than they should', () => {
    let runs = 0;
    expect(sampleSeconds(() => void runs++, { runs: 4, seconds: 60 }).runs).toBe(4);
    expect(sampleSeconds(() => void runs++, { runs: 4, seconds: 0 }).runs).toBe(1);
    expect(runs).toBe(5);
  });
  it('are printed with three digits', () => {
    expect(spread(sampleOf([1.2345, 1.1, 2]))).toBe('1.23 (1.10 to 2.00)');
    expect(spread(sampleOf([0.5]))).toBe('0.500');
    expect(digits(12345.6)).toBe('12346');
  });
});

describe('the peak of memory', () => {
  it('sees an allocation that is freed again', () => {
    resetPeak();
    const before = peakBytes();
    // 100 MB of pages that are new to the process: Buffer's may be ones that it has kept
    new Uint8Array(new WebAssembly.Memory({ initial: 1526 }).buffer).fill(1);
    expect(peakBytes() - before).toBeGreaterThan(50e6);
  });
});

describe('bulwark bench', () => {
  it('measures steps, passes and stages on wasm and reports them', () => {
    const { status, stdout, stderr } = bulwark(
      ...[
        'bench',
        '--engine',
        'wasm',
        '--models',
        'small-cnn',
        '--parts',
        'speed,gradients,pipeline',
        '--quick',
        '--json',
      ],
    );
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const { engines, machine } = JSON.parse(stdout) as { engines: EngineBench[]; machine: { cores: number } };
    expect(machine.cores).toBeGreaterThan(0);
    const [wasm] = engines;
    expect(wasm!.engine).toBe('wasm');
    expect(wasm!.speed!.matmulGflops).toBeGreaterThan(0);
    expect(wasm!.gradients!.map(({ pass }) => pass)).toEqual(['forward', 'input gradient', 'parameter gradient']);
    for (const { perImage } of wasm!.gradients!) expect(perImage.median).toBeGreaterThan(0);
    expect(wasm!.pipeline!.imagesPerSecond).toBeGreaterThan(0);
    const report = benchReport(engines);
    expect(report).toContain('input gradient');
    expect(report).not.toContain('AutoAttack'); // was not measured
  });
  it.each([
    ['engine', ['--engine', 'cuda'], '--engine has "cuda"; known: torch, tensorflow, webgpu, wasm, cpu'],
    ['part', ['--parts', 'speed,everything'], '--parts has "everything"'],
    ['model', ['--models', 'resnet'], '--models has "resnet"; known: small-cnn, resnet18'],
  ])('refuses an unknown %s', (_what, args, message) => {
    const { status, stderr } = bulwark('bench', ...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });
  it.each([
    ['--images', '0', 'give an integer of at least 1 and at most 1000'],
    ['--images', '2.5', 'give an integer of at least 1 and at most 1000'],
    ['--share', '1.5', 'give a number of at least 0.01 and at most 1'],
    ['--share', '0.001', 'give a number of at least 0.01 and at most 1'],
    ['--share', 'half', 'give a number of at least 0.01 and at most 1'],
  ])('refuses %s %s', (flag, value, hint) => {
    const { status, stderr } = bulwark('bench', flag, value);
    expect(status).toBe(2);
    expect(stderr).toContain(`${flag} is ${value}`);
    expect(stderr).toContain(hint);
  });
  it('attacks as many images with as many iterations as it is told', () => {
    const flags = ['--parts', 'attacks', '--images', '3', '--share', '0.01', '--json'];
    const { status, stdout } = bulwark('bench', '--engine', 'wasm', ...flags);
    expect(status).toBe(0);
    const { engines } = JSON.parse(stdout) as { engines: EngineBench[] };
    expect(engines[0]!.attacks!.map(({ stage }) => stage)).toEqual(['apgd-ce', 'apgd-t', 'fab-t', 'square']);
    for (const { images, share, imagesPerSecond } of engines[0]!.attacks!) {
      expect([images, share]).toEqual([3, 0.01]);
      expect(imagesPerSecond).toBeGreaterThan(0);
    }
  });
  it('says why an engine that was named cannot be measured', () => {
    const { status, stderr } = bulwark(...'bench --engine tensorflow --parts speed'.split(' '));
    expect(status).toBe(1);
    expect(stderr).toContain('engine cache: nothing installed');
    expect(stderr).toContain('bulwark engine install tensorflow');
  });
});

describe('bulwark doctor', () => {
  it('says of every engine that it works, or why not and what to do', () => {
    const { stdout, status } = bulwark('doctor', '--seconds', '0.1', '--json');
    expect(status).toBe(0);
    const { engines, auto, node } = JSON.parse(stdout) as {
      engines: { engine: string; works: boolean; reason?: string; hint?: string; wrong?: string }[];
      auto: string;
      node: string;
    };
    expect(node).toBe(process.version);
    expect(engines.map(({ engine }) => engine)).toEqual('torch tensorflow webgpu wasm cpu'.split(' '));
    const of = Object.fromEntries(engines.map((one) => [one.engine, one]));
    const without = engines.find(({ engine }) => engine.startsWith('tensor'));
    expect(without).toMatchObject({ works: false, hint: expect.stringContaining('bulwark engine install') });
    expect(of['wasm']).toMatchObject({ works: true, speed: { matmulGflops: expect.any(Number) } });
    expect(of['wasm']!.wrong).toBeUndefined();
    expect(['webgpu', 'wasm']).toContain(auto);
  });
  it('refuses a time that is no number', () => {
    expect(bulwark('doctor', '--seconds', 'long').stderr).toContain('--seconds is "long"');
  });
});
