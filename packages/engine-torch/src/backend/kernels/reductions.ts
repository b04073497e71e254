import { util } from '@tensorflow/tfjs-core';
import type { NamedAttrMap, TensorInfo } from '@tensorflow/tfjs-core';
import { scalarType } from '../aten.js';
import type { Kit, Output } from '../kernel.js';
import type { Handle } from '../native.js';

interface ReductionAttributes {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
  readonly keepDims?: boolean;
}

/** Kernels that make one number of many. */
export function registerReductions({ kernel, aten, at, share }: Kit): void {
  /** A kernel over the axes that its attributes name, all where they name none. */
  const reduction = (
    name: string,
    compute: (x: Handle, axes: number[], keep: boolean, info: TensorInfo) => Output,
    ofNoAxes?: (info: TensorInfo) => Output,
  ): void =>
    kernel(name, ({ x }, attrs: NamedAttrMap) => {
      // `Max` calls its axes otherwise than all others
      const { axis, reductionIndices = axis, keepDims = false } = attrs as unknown as ReductionAttributes;
      const axes = util.parseAxisParam(reductionIndices ?? (null as unknown as number[]), x!.shape);
      // PyTorch takes no axes for all of them
      if (axes.length === 0) return ofNoAxes?.(x!) ?? share(x!, x!.shape);
      return compute(at(x!), axes, keepDims, x!);
    });
  const float = scalarType('float32');
  // sums of whole numbers and of truth values are whole numbers
  const sumType = (x: TensorInfo) => (x.dtype === 'float32' ? float : scalarType('int32'));

  reduction(
    'Sum',
    (x, axes, keep, info) => aten.sum(x, axes, keep, sumType(info)),
    (info) => (info.dtype === 'bool' ? aten.to(at(info), sumType(info)) : share(info, info.shape)),
  );
  reduction(
    'Mean',
    (x, axes, keep) => aten.mean(x, axes, keep, float),
    (info) => (info.dtype === 'float32' ? share(info, info.shape) : aten.to(at(info), float)),
  );
  reduction('Max', (x, axes, keep) => aten.amax(x, axes, keep));
  reduction('Min', (x, axes, keep) => aten.amin(x, axes, keep));
  reduction('Any', (x, axes, keep) => aten.any(x, axes, keep));
  reduction('All', (x, axes, keep) => aten.all(x, axes, keep));
  reduction('Prod', (x, axes, keep, info) => {
    // one axis at a time, the last first, so that those before it keep their numbers
    const ordered = [...axes].sort((a, b) => b - a);
    return ordered.reduce((product: Handle, axis) => aten.prodDim(product, axis, keep, sumType(info)), x);
  });
  for (const [name, find] of [
    ['ArgMax', aten.argmax],
    ['ArgMin', aten.argmin],
  ] as const)
    kernel(name, ({ x }, { axis }) => {
      const [along] = util.parseAxisParam(axis as number, x!.shape);
      return aten.to(find(at(x!), along), scalarType('int32'));
    });

  for (const [name, accumulate] of [
    ['Cumsum', aten.cumsum],
    ['Cumprod', aten.cumprod],
  ] as const)
    kernel(name, ({ x }, { axis, exclusive, reverse }) => {
      const [along] = util.parseAxisParam(axis as number, x!.shape);
      const length = x!.shape[along!]!;
      const turned = (tensor: Handle) => (reverse ? aten.flip(tensor, [along!]) : tensor);
      let values = turned(at(x!));
      if (exclusive) {
        // what is before the first: 0 of a sum, 1 of a product
        const start = aten.full(
          x!.shape.map((n, i) => (i === along ? 1 : n)),
          name === 'Cumsum' ? 0 : 1,
          scalarType(x!.dtype),
        );
        values = aten.cat([start, aten.narrow(values, along, 0, length - 1)], along);
      }
      const found = turned(accumulate(values, along, scalarType(x!.dtype)));
      return aten.clone(found);
    });
}
