import { backend_util } from '@tensorflow/tfjs-core';
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import type { Kit } from '../kernel.js';
import type { Handle } from '../native.js';

/** What TensorFlow.js's fused kernels may do to a sum with a bias. */
export function activation({ aten, at }: Kit, attrs: NamedAttrMap, preluWeights: TensorInfo | undefined) {
  const { activation: name = 'linear', leakyreluAlpha } = attrs as { activation?: string; leakyreluAlpha?: number };
  return (x: Handle): Handle => {
    switch (name) {
      case 'linear':
        return x;
      case 'relu':
        return aten.relu(x);
      case 'relu6':
        return aten.clamp(x, 0, 6);
      case 'elu':
        return aten.elu(x);
      case 'sigmoid':
        return aten.sigmoid(x);
      case 'leakyrelu':
        return aten.leakyRelu(x, leakyreluAlpha ?? 0.2);
      case 'prelu':
        return aten.where(aten.gtScalar(x, 0), x, aten.mul(x, at(preluWeights!)));
      default:
        throw new Error(`activation ${name} is not computed here`);
    }
  };
}

/** Products of matrices, and sums of products over named axes. */
export function registerProducts(kit: Kit): void {
  const { kernel, operator, aten, at } = kit;

  const transposed = (x: Handle, rank: number): Handle => {
    const axes = [...Array(rank).keys()];
    return aten.permute(x, [...axes.slice(0, -2), rank - 1, rank - 2]);
  };
  const matrix = (info: TensorInfo, turned: unknown): Handle =>
    turned ? transposed(at(info), info.shape.length) : at(info);
  const product = (a: TensorInfo, b: TensorInfo, { transposeA, transposeB }: NamedAttrMap): Handle =>
    aten.matmul(matrix(a, transposeA), matrix(b, transposeB));

  kernel('BatchMatMul', ({ a, b }, attrs) => product(a!, b!, attrs));
  kernel('_FusedMatMul', ({ a, b, bias, preluActivationWeights }, attrs) => {
    const found = product(a!, b!, attrs);
    return activation(kit, attrs, preluActivationWeights)(bias ? aten.add(found, at(bias)) : found);
  });

  const einsum = operator('aten::einsum');
  kernel('Einsum', (inputs, { equation }) => {
    const all = Object.values(inputs);
    backend_util.decodeEinsumEquation(equation as string, all.length); // its messages name what is wrong
    return einsum(equation as string, all.map(at));
  });
}
