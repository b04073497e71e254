import { tmpdir } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { defineDataSource, norms, pixelLengths, type ImageShape } from '@bulwark/core';
import { pluginKinds } from '@bulwark/core/plugins';
import { checkConfig, composeModel, compose } from '@bulwark/core/run';
import { doubtOfRadius, doubtOfStep } from '@bulwark/core/threat';
import { analyzeCommand } from '../commands/analyze.js';
import { builtinRegistry } from '../registry.js';

const shape: ImageShape = [32, 32, 3];
const set = { images: new Uint8Array(2 * 3072), labels: Int32Array.of(0, 1), shape };
const data = defineDataSource({
  name: 'dark',
  summary: 'Two black images of the size of CIFAR, for tests.',
  create: () => ({ name: 'dark', shape, classNames: ['a', 'b'], train: set, validation: set, test: set }),
});
const registry = builtinRegistry().register(data);
type Json = Record<string, unknown>;
const config = (change: Json): Json => ({
  data: { use: 'dark', batchSize: 1 },
  model: { use: 'small-cnn', width: 2 },
  threat: { epsilon: '8/255' },
  objective: 'at',
  epochs: 1,
  ...change,
});

/** What is said of a config while it becomes a run: the error, or the warnings. */
async function said(change: Json): Promise<string> {
  const warnings: string[] = [];
  const options = { registry, baseFolder: tmpdir(), warn: (text: string) => void warnings.push(text) };
  try {
    const { parts } = await compose(checkConfig(config(change), registry), options);
    parts.model.dispose();
  } catch (error) {
    const { message, hint } = error as { message: string; hint: string };
    return `error ${message}; ${hint}`;
  }
  return warnings.join('\n');
}

describe('numbers for pixels of 0 to 255', () => {
  it.each<[string, Json, string]>([
    ['a radius in linf', { threat: { epsilon: 8 } }, 'error threat.epsilon is 8: .*linf; .*write 8/255'],
    [
      'a radius in l2',
      { threat: { norm: 'l2', epsilon: 128 } },
      'error threat.epsilon is 128: .*55.43 in l2; .*128/255',
    ],
    ['a radius in l1', { threat: { norm: 'l1', epsilon: 10200 } }, 'error .*3072 in l1; .*write 10200/255'],
    [
      'steps of the method',
      { objective: { use: 'at', inner: { stepSize: 2 } } },
      'error objective.inner.stepSize is 2: .*write 2/255',
    ],
    [
      'its start',
      { objective: { use: 'trades', inner: { startScale: 1.5 } } },
      'error objective.inner.startScale is 1.5: .*1.5/255',
    ],
    [
      'steps of a plugin within the method',
      { objective: { use: 'compose', inner: { use: 'pgd', stepSize: 2 }, classification: 'cross-entropy' } },
      'error objective.inner.stepSize is 2: .*write 2/255',
    ],
    [
      'steps of a validation attack',
      { evaluation: { attacks: ['pgd', { use: 'pgd', stepSize: 2 }] } },
      'error evaluation.attacks\\[1\\].stepSize is 2: .*write 2/255',
    ],
    [
      'steps in l2',
      { threat: { norm: 'l2', epsilon: 0.5 }, evaluation: { attacks: [{ use: 'pgd', stepSize: 60 }] } },
      'error stepSize of pgd is 60: .*l2; .*60/255',
    ],
    [
      'a ball of its own',
      { objective: { use: 'msd', linf: { epsilon: 8 } } },
      'error objective.linf.epsilon is 8: .*in linf; .*8/255',
    ],
    [
      'another',
      { objective: { use: 'msd', l2: { epsilon: 128 } } },
      'error l2.epsilon of msd is 128: .*55.43 in l2; .*128/255',
    ],
    [
      'balls in a list',
      {
        objective: {
          use: 'max',
          norms: [
            { norm: 'l2', epsilon: 0.5 },
            { norm: 'linf', epsilon: 8 },
          ],
        },
      },
      'error objective.norms\\[1\\].epsilon is 8: .*8/255',
    ],
    [
      'a mean',
      { model: { use: 'small-cnn', normalize: { mean: [125.3, 123, 113.9], std: [63, 62.1, 66.7] } } },
      'error model.normalize.*write { mean: \\[0.49137, 0.48235, 0.44667\\], std: \\[0.24706',
    ],
    [
      'a standard deviation alone',
      { model: { use: 'small-cnn', normalize: { mean: [0.5, 0.5, 0.5], std: [63, 62.1, 66.7] } } },
      'error model.normalize.*write { mean: \\[0.5, 0.5, 0.5\\], std: \\[0.24706',
    ],
  ])('%s are refused with the value meant', async (_, change, message) => {
    expect(await said(change)).toMatch(new RegExp(message));
  });

  it.each<[string, Json, string]>([
    ['a radius that is possible in linf', { threat: { epsilon: 0.6 } }, 'threat.epsilon is 0.6 in linf.*write 0.6/255'],
    ['in l2', { threat: { norm: 'l2', epsilon: 8 } }, 'threat.epsilon is 8 in l2.*write 8/255'],
    ['in l1', { threat: { norm: 'l1', epsilon: 2000 } }, 'threat.epsilon is 2000 in l1.*write 2000/255'],
    [
      'a step within the range',
      { objective: { use: 'at', inner: { stepSize: 0.5 } } },
      'stepSize of .*is 0.5, 15.94 times the radius',
    ],
  ])('%s is doubted', async (_, change, message) => {
    const text = await said(change);
    expect(text).toMatch(new RegExp(message));
    expect(text).not.toMatch(/^error/);
  });

  it('says nothing of what papers use', async () => {
    const ofMnist = { use: 'at', inner: { steps: 40, stepSize: 0.01 } };
    expect(await said({ threat: { epsilon: 0.3 }, objective: ofMnist })).toBe('');
    for (const [norm, epsilon] of [
      ['linf', '16/255'],
      ['l2', 0.5],
      ['l2', 3],
      ['l1', 12],
      ['linf', 0],
    ] as const)
      expect(await said({ threat: { norm, epsilon } })).toBe('');
    expect(doubtOfRadius({ name: 'x', value: 3 }, { norm: 'l2', shape: [224, 224, 3] })).toBeUndefined();
    expect(doubtOfRadius({ name: 'x', value: 255 }, { norm: 'l1', shape: [224, 224, 3] })).toBeUndefined();
    expect(doubtOfStep({ name: 'x', value: 10 / 255 }, { norm: norms.linf, epsilon: 8 / 255 })).toBeUndefined();
  });

  it('are doubted when a trained model is opened, too', async () => {
    const warnings: string[] = [];
    const warn = (text: string) => void warnings.push(text);
    const checked = checkConfig(config({ threat: { norm: 'l2', epsilon: 8 } }), registry);
    const { model } = await composeModel(checked, { registry, baseFolder: tmpdir(), warn });
    model.dispose();
    expect(warnings.join()).toMatch(/write 8\/255/);
  });

  it.each([
    [['collaborative', 'run', '--epsilons', '4/255,8'], '--epsilons is 8: '],
    [['collaborative', 'run', '--step-size', '2'], '--step-size is 2: '],
  ])('analyze %j is refused', async (words, message) => {
    await expect(analyzeCommand().parseAsync(words, { from: 'user' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(message),
    });
  });

  it('are looked for in every option that is a length', () => {
    const lengths = /^(stepSize|epsilon|radius|startScale)$/;
    const marked = (schema: unknown): boolean => {
      const { innerType } = (schema as { _zod: { def: { innerType?: unknown } } })._zod.def;
      return pixelLengths.get(schema as never) !== undefined || (innerType !== undefined && marked(innerType));
    };
    const found: string[] = [];
    const walk = (shape: Record<string, unknown>, at: string): void => {
      for (const [name, entry] of Object.entries(shape)) {
        if (lengths.test(name)) found.push(`${at}.${name} ${marked(entry) ? 'checked' : 'not checked'}`);
        let inner = entry as {
          _zod: { def: { innerType?: unknown; element?: unknown; shape?: Record<string, unknown> } };
        };
        for (let next: unknown = inner; next; next = inner._zod.def.innerType ?? inner._zod.def.element)
          inner = next as typeof inner;
        if (inner._zod.def.shape) walk(inner._zod.def.shape, `${at}.${name}`);
      }
    };
    // an optimizer's epsilon is no length
    for (const kind of pluginKinds.filter((name) => name !== 'optimizer'))
      for (const { name, options } of registry.list(kind)) walk(options.shape, name);
    expect(found.length).toBeGreaterThan(8);
    expect(found.filter((line) => line.endsWith('not checked'))).toEqual([]);
  });
});
