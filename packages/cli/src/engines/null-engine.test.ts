import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { EvaluationResult } from '@bulwark/core';
import { runCommand } from '../testing.js';

/** Computes nothing: every logit, statistic and gradient is 0. It notes each pass, so that tests see that all of them come to it. */
const engine = `
import { appendFileSync } from 'node:fs';
import { defineEngine } from '@bulwark/core/engine';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';

export const nothing = defineEngine({
  name: 'nothing',
  summary: 'Zeros.',
  unchecked: true,
  probe: async () => ({ available: true }),
  async start() {
    tf.env().set('PROD', true); // no advertisement on stderr
    await tf.setBackend('cpu');
    return {
      backend: 'cpu', description: 'zeros', device: 'none', dtypes: ['float32'], hostMemory: true, remarks: [],
      prepare({ graph, store }) {
        const [classes] = graph.shapes.at(-1);
        const like = (name) => tf.zeros(store.value(name).shape);
        return {
          dtypes: ['float32'],
          pass(images, { mode, wrt }) {
            appendFileSync(process.env.PASSES, mode + ' ' + wrt + '\\n');
            const logits = images.map((batch) => tf.zeros([batch.shape[0], classes]));
            const layers = store.statistics.filter((name) => name.endsWith('.running_mean'));
            const statistics = images.map((batch) => new Map(mode === 'eval' ? [] : layers.map((name) => [
              name.slice(0, -'.running_mean'.length),
              { mean: like(name), variance: like(name), count: batch.shape[0], bessel: 1 },
            ])));
            return {
              logits, statistics,
              pullback: () => ({
                images: ['images', 'all'].includes(wrt) ? images.map((batch) => tf.zeros(batch.shape)) : [],
                parameters: new Map(['parameters', 'all'].includes(wrt) ? store.parameters.map((name) => [name, like(name)]) : []),
              }),
              dispose: () => tf.dispose([logits, statistics.map((one) => [...one.values()].map(({ mean, variance }) => [mean, variance]))]),
            };
          },
          dispose() {},
        };
      },
    };
  },
});
`;

const config = `
name: none
engine: nothing
plugins: [./nothing.mjs]
data: { use: fashion-mnist-mini, batchSize: 32, limit: { train: 64, test: 20 } }
model: { use: small-cnn }
threat: { epsilon: 0.1 }
objective: { use: trades, inner: { steps: 2, stepSize: 0.05 } }
epochs: 2
evaluation: { attacks: [{ use: fgsm }], examples: 20 }
`;

let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'bulwark-null-'));
  mkdirSync(join(project, 'node_modules'));
  for (const name of ['@bulwark', '@tensorflow'])
    symlinkSync(resolve('node_modules', name), join(project, 'node_modules', name));
  writeFileSync(join(project, 'nothing.mjs'), engine);
  writeFileSync(join(project, 'c.yaml'), config);
});

const log = () => join(project, 'passes.txt');
beforeEach(() => rmSync(log(), { force: true }));
const passes = () => readFileSync(log(), 'utf8').trim().split('\n');
const bulwark = (...args: string[]) =>
  runCommand(args, { cwd: project, env: { ...process.env, NO_COLOR: '1', PASSES: log() } });

describe('an engine that computes nothing, from a file', () => {
  it('trains and evaluates', () => {
    const trained = bulwark('train', 'c.yaml');
    expect(trained.stderr).toBe('');
    expect(trained.status).toBe(0);
    expect(trained.stdout).toContain('nothing');
    // 2 epochs of 2 steps: 2 inner iterations on images and an outer pass of parameters each, and a look at the natural images
    const made = passes();
    expect(made.filter((pass) => /(images|all)$/.test(pass)).length).toBeGreaterThanOrEqual(8);
    expect(made.filter((pass) => /^batch (parameters|all)$/.test(pass))).toHaveLength(4);

    rmSync(log());
    const evaluated = bulwark('evaluate', 'runs/none', '--attacks', 'pgd:steps=3', '--images', '20', '--out', 'r.json');
    expect(evaluated.stderr).toBe('');
    expect(evaluated.status).toBe(0);
    const result = JSON.parse(readFileSync(join(project, 'r.json'), 'utf8')) as EvaluationResult;
    // logits of 0 are class 0, whatever the attack does
    expect(result.worst.accuracy).toBe(result.clean.accuracy);
    expect(new Set(result.worst.predictions)).toEqual(new Set([0]));
    expect(passes()).toContain('eval images');
  });

  it('is examined by doctor, without a comparison of its numbers', () => {
    const { stdout, stderr } = bulwark('doctor', '--plugins', './nothing.mjs', '--seconds', '0.1', '--json');
    expect(stderr).toBe('');
    const { engines } = JSON.parse(stdout) as { engines: { engine: string; works: boolean; unchecked?: boolean }[] };
    expect(engines.find(({ engine: name }) => name === 'nothing')).toMatchObject({ works: true, unchecked: true });
  });

  it('is measured by bench', () => {
    const { stdout, stderr } = bulwark(
      ...['bench', '--engine', 'nothing', '--plugins', './nothing.mjs', '--models', 'small-cnn'],
      ...['--parts', 'gradients,training', '--quick', '--json'],
    );
    expect(stderr).toBe('');
    const { engines } = JSON.parse(stdout) as { engines: { engine: string; gradients: unknown[] }[] };
    expect(engines).toMatchObject([{ engine: 'nothing' }]);
    expect(engines[0]!.gradients).toHaveLength(3);
    expect(passes()).toContain('eval images');
  });
});

it('no engine of a package is known by name to core, nor to the command', () => {
  const files = execFileSync('git', ['ls-files', 'packages/core/src', 'packages/cli/src'], { encoding: 'utf8' });
  const named = files
    .trim()
    .split('\n')
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .filter((path) => /'(tensorflow|webgpu)'/.test(readFileSync(path, 'utf8')));
  expect(named).toEqual([]);
});
