import { backend_util, getKernel, util } from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from '../backend.js';
import { flat, put, widthOf, type RunShader } from '../shader.js';
import { sumInGroups } from './sum-of-rows.js';

/** Sums over all axes up to one, as those of gradients in biases: the stock kernel transposes a copy of the whole tensor first. */
export function putLeadingSums(run: RunShader): void {
  const { kernelFunc: stock } = getKernel('Sum', 'webgpu')!;
  put('Sum', (call) => {
    const { x } = call.inputs as { x: TensorInfo };
    const { axis, keepDims } = call.attrs as { axis: number | number[]; keepDims: boolean };
    const axes = util.parseAxisParam(axis, x.shape).sort((a, b) => a - b);
    const leading = axes.length < x.shape.length && axes.every((each, at) => each === at);
    const size = util.sizeFromShape(x.shape);
    if (x.dtype !== 'float32' || axes.length === 0 || !leading || size === 0) return stock(call);

    const [kept] = backend_util.computeOutAndReduceShapes(x.shape, axes);
    const channels = util.sizeFromShape(kept);
    const { dataId, dtype } = sumInGroups(run, call.backend as WebgpuBackend, {
      name: 'sum of rows',
      inputs: { X: flat(x) },
      widths: { X: widthOf(channels) },
      rows: size / channels,
      channels,
      before: '',
      expression: 'readX(index)',
    });
    return { dataId, dtype, shape: keepDims ? backend_util.expandShapeToKeepDim(kept, axes) : kept };
  });
}
