import { util } from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { flat, put, widthOf, type RunShader } from './shader.js';

/** Largest logit of a row and the logarithm of the sum of exponentials of what is below it. */
const logSum = `
  var most = readLogits(first);
  for (var i = 1; i < uniforms.classes; i++) { most = max(most, readLogits(first + i)); }
  var sum = 0.0;
  for (var i = 0; i < uniforms.classes; i++) { sum += exp(readLogits(first + i) - most); }
  let logSum = log(sum);`;

/** Kernels at the end of a network and of its losses, one shader each: composed of stock ones they take two to nine. */
export function putClassKernels(run: RunShader): void {
  put('BulwarkLogSoftmax', ({ inputs, backend }) => {
    const { logits } = inputs as { logits: TensorInfo };
    return run(backend, {
      name: 'log softmax',
      inputs: { Logits: flat(logits) },
      shape: logits.shape,
      integers: { classes: logits.shape.at(-1)! },
      code: `
        let first = index / uniforms.classes * uniforms.classes;
        ${logSum}
        value = readLogits(index) - most - logSum;`,
    });
  });
  put('BulwarkCrossEntropy', ({ inputs, backend }) => {
    const { logits, targets } = inputs as { logits: TensorInfo; targets: TensorInfo };
    return run(backend, {
      name: 'cross-entropy',
      inputs: { Logits: flat(logits), Targets: flat(targets) },
      shape: [logits.shape[0]!],
      integers: { classes: logits.shape.at(-1)! },
      code: `
        let first = index * uniforms.classes;
        ${logSum}
        for (var i = 0; i < uniforms.classes; i++) {
          value -= readTargets(first + i) * (readLogits(first + i) - most - logSum);
        }`,
    });
  });
  put('BulwarkSpatialMean', ({ inputs, backend }) => {
    const { x } = inputs as { x: TensorInfo };
    const [batch, height, width, channels] = x.shape as [number, number, number, number];
    const wide = widthOf(channels);
    const { dataId, dtype } = run(backend, {
      name: `spatial mean ${wide}`,
      inputs: { X: flat(x) },
      widths: { X: wide },
      shape: [batch * channels],
      width: wide,
      integers: { groups: channels / wide, pixels: height * width },
      code: `
        let first = (index / uniforms.groups) * uniforms.pixels * uniforms.groups + index % uniforms.groups;
        for (var pixel = 0; pixel < uniforms.pixels; pixel++) { value += readX(first + pixel * uniforms.groups); }
        value = value / f32(uniforms.pixels);`,
    });
    return { dataId, dtype, shape: [batch, channels] };
  });
  put('BulwarkSpatialMeanGrad', ({ inputs, attrs, backend }) => {
    const { dy } = inputs as { dy: TensorInfo };
    const { height, width } = attrs as { height: number; width: number };
    const [batch, channels] = dy.shape as [number, number];
    const wide = widthOf(channels);
    const { dataId, dtype } = run(backend, {
      name: `spatial mean gradient ${wide}`,
      inputs: { Dy: flat(dy) },
      widths: { Dy: wide },
      shape: [batch * height * width * channels],
      width: wide,
      integers: { groups: channels / wide, pixels: height * width },
      code: `
        let image = index / (uniforms.groups * uniforms.pixels);
        value = readDy(image * uniforms.groups + index % uniforms.groups) / f32(uniforms.pixels);`,
    });
    return { dataId, dtype, shape: [batch, height, width, channels] };
  });
  put('BulwarkPick', ({ inputs, backend }) => {
    const { a, b, c, x, y, z } = inputs as Record<string, TensorInfo>;
    const whole = util.sizeFromShape(x!.shape);
    const { dataId, dtype } = run(backend, {
      name: 'pick',
      inputs: { A: flat(a!), B: flat(b!), C: flat(c!), X: flat(x!), Y: flat(y!), Z: flat(z!) },
      shape: [whole],
      integers: { each: whole / x!.shape[0]! },
      code: `
        let example = index / uniforms.each;
        value = readA(example) * readX(index) + readB(example) * readY(index) + readC(example) * readZ(index);`,
    });
    return { dataId, dtype, shape: x!.shape };
  });
}
