import { describe, expect, it } from '@jest/globals';
import type { NativeBinding } from './binding.js';
import { installedPackages } from './install/cache.js';
import { wrongBatchNorm, wrongProducts } from './numerics.js';
import { loadBinding, projectPackage } from './package.js';

const candidate = installedPackages().found[0] ?? projectPackage('@tensorflow/tfjs-node');
if (!candidate) console.warn('no native TensorFlow is installed: its numerics check is tested on a fake only');
const whenInstalled = candidate ? it : it.skip;

/** A library that gives the same number everywhere. */
const constant = (value: number) =>
  ({
    createTensor: () => 0,
    deleteTensor: () => {},
    executeOp: (_name: string, _attributes: unknown, _inputs: unknown, outputs: number) =>
      Array.from({ length: outputs }, () => ({ id: 0, shape: [] })),
    tensorDataSync: () => new Float32Array(256).fill(value),
    isUsingGpuDevice: () => false,
  }) as unknown as NativeBinding;

describe('the numerics check of a native library', () => {
  it('names the first op that is wrong', () => {
    expect(wrongProducts(constant(0))).toMatch(/^MatMul is off by \d/);
    expect(wrongProducts(constant(NaN))).toMatch(/^MatMul is off by NaN/);
    expect(wrongBatchNorm(constant(0))).toMatch(/^FusedBatchNormV3 is off by/);
  });

  whenInstalled('finds nothing wrong with the installed library', () => {
    process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
    const binding = loadBinding(candidate!.folder);
    expect(wrongProducts(binding)).toBeUndefined();
    expect(wrongBatchNorm(binding)).toBeUndefined();
  });

  whenInstalled('notices one wrong gradient', () => {
    const binding = loadBinding(candidate!.folder);
    let wrongId = -1;
    let wrongValue = (value: number) => value + 1;
    const broken = Object.create(binding, {
      executeOp: {
        value: (...op: Parameters<NativeBinding['executeOp']>) => {
          const results = binding.executeOp(...op);
          if (op[0] === 'Conv2DBackpropInput') wrongId = results[0]!.id;
          return results;
        },
      },
      tensorDataSync: {
        value: (id: number) => {
          const values = Array.from(binding.tensorDataSync(id));
          return id === wrongId ? values.map((value, at) => (at === 17 ? wrongValue(value) : value)) : values;
        },
      },
    }) as NativeBinding;
    expect(wrongProducts(broken)).toMatch(/^Conv2DBackpropInput is off by 1 /);
    wrongValue = () => NaN;
    expect(wrongProducts(broken)).toMatch(/^Conv2DBackpropInput is off by NaN /);
  });
});
