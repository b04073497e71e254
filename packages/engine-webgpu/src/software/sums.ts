import { backend_util, getKernel, util } from '@tensorflow/tfjs-core';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { flat, put, type RunShader } from '../shader.js';

/** Terms of a partial sum: their sums are summed again, which keeps rounding small. */
const chunk = 64;

const code = `
  let fromStart = (index / uniforms.inner) * uniforms.terms * uniforms.inner + index % uniforms.inner;
  for (var start = 0; start < uniforms.terms; start += ${chunk}) {
    var part = 0.0;
    for (var term = start; term < min(start + ${chunk}, uniforms.terms); term++) {
      part += readX(fromStart + term * uniforms.inner);
    }
    value += part;
  }
  value /= uniforms.divisor;`;

/** Sums and means over axes that lie side by side. */
function putSum(kernelName: 'Sum' | 'Mean', run: RunShader): void {
  const { kernelFunc: stock } = getKernel(kernelName, 'webgpu')!;
  put(kernelName, (call) => {
    const { x } = call.inputs as { x: TensorInfo };
    const { axis, keepDims } = call.attrs as { axis: number | number[]; keepDims: boolean };
    const axes = util.parseAxisParam(axis, x.shape).sort((a, b) => a - b);
    const [first, last] = [axes[0]!, axes.at(-1)!];
    if (x.dtype !== 'float32' || axes.length === 0 || last - first !== axes.length - 1) return stock(call);

    const [kept] = backend_util.computeOutAndReduceShapes(x.shape, axes);
    const size = util.sizeFromShape(x.shape);
    const inner = util.sizeFromShape(x.shape.slice(last + 1));
    const terms = util.sizeFromShape(x.shape.slice(first, last + 1));
    const { dataId, dtype } = run(call.backend, {
      name: 'sum',
      inputs: { X: flat(x) },
      shape: [size / terms],
      integers: { inner, terms },
      floats: { divisor: kernelName === 'Mean' ? terms : 1 },
      code,
    });
    return { dataId, dtype, shape: keepDims ? backend_util.expandShapeToKeepDim(kept, axes) : kept };
  });
}

export function putSums(run: RunShader): void {
  putSum('Sum', run);
  putSum('Mean', run);
}
