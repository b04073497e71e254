import { broadcast_util, getKernel, util } from '@tensorflow/tfjs-core';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { flat, put, widthOf, type RunShader } from '../shader.js';

/** Products of matrices [rows, columns], or of equally many; one matrix on one side is multiplied with all of the other. */
export function putMatrixProduct(run: RunShader): void {
  const { kernelFunc: stock } = getKernel('BatchMatMul', 'webgpu')!;
  const product: KernelFunc = (call) => {
    const { a, b } = call.inputs as { a: TensorInfo; b: TensorInfo };
    const { transposeA, transposeB } = call.attrs as { transposeA: boolean; transposeB: boolean };
    const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
    const [countA, countB] = [util.sizeFromShape(outerA), util.sizeFromShape(outerB)];
    const simple = countA === 1 || countB === 1 || util.arraysEqual(outerA, outerB);
    if (!simple) return stock(call);

    const size = (of: TensorInfo, fromEnd: number) => of.shape[of.shape.length - fromEnd]!;
    const rows = size(a, transposeA ? 1 : 2);
    const depth = size(a, transposeA ? 2 : 1);
    const columns = size(b, transposeB ? 2 : 1);
    // side by side are columns of a `b` as it is, and the sum's terms of a transposed one
    const lanes = transposeB ? 1 : widthOf(columns);
    const { dataId, dtype } = run(call.backend, {
      name: `matrix product ${lanes}`,
      inputs: { A: flat(a), B: flat(b) },
      widths: { B: lanes },
      shape: [Math.max(countA, countB) * rows * columns],
      width: lanes,
      integers: {
        ...{ rows, depth, columns: columns / lanes },
        matrixA: countA === 1 ? 0 : rows * depth,
        matrixB: countB === 1 ? 0 : (depth * columns) / lanes,
        downA: transposeA ? 1 : depth,
        rightA: transposeA ? rows : 1,
        downB: transposeB ? 1 : columns / lanes,
        rightB: transposeB ? depth : 1,
      },
      code: `
        let column = index % uniforms.columns;
        let row = (index / uniforms.columns) % uniforms.rows;
        let matrix = index / (uniforms.columns * uniforms.rows);
        let fromA = matrix * uniforms.matrixA + row * uniforms.downA;
        let fromB = matrix * uniforms.matrixB + column * uniforms.rightB;
        for (var i = 0; i < uniforms.depth; i++) {
          value += readA(fromA + i * uniforms.rightA) * readB(fromB + i * uniforms.downB);
        }`,
    });
    return { dataId, dtype, shape: [...broadcast_util.assertAndGetBroadcastShape(outerA, outerB), rows, columns] };
  };
  put('BatchMatMul', product);
}
