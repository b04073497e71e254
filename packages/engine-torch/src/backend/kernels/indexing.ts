import { gather_util, scatter_util, util } from '@tensorflow/tfjs-core';
import type { DataType, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { scalarType } from '../aten.js';
import type { Kit } from '../kernel.js';
import type { Handle } from '../native.js';

const product = (lengths: readonly number[]): number => lengths.reduce((size, length) => size * length, 1);

/** Kernels that pick elements by number, put them where numbers say, count them or order them. */
export function registerIndexing({ kernel, operator, aten, at, scalar }: Kit): void {
  kernel('GatherV2', ({ x, indices }, { axis, batchDims }) => {
    const [along] = util.parseAxisParam(axis as number, x!.shape) as [number];
    const batches = product(x!.shape.slice(0, batchDims as number));
    const outer = product(x!.shape.slice(batchDims as number, along));
    const length = x!.shape[along]!;
    const inner = product(x!.shape.slice(along + 1));
    const shape = [
      ...x!.shape.slice(0, along),
      ...indices!.shape.slice(batchDims as number),
      ...x!.shape.slice(along + 1),
    ];
    const count = indices!.shape.reduce((size, n) => size * n, 1) / batches;
    // all batches in one row of elements, each with its own part of the numbers
    const elements = aten.permute(aten.reshape(at(x!), [batches, outer, length, inner]), [0, 2, 1, 3]);
    const starts = aten.reshape(aten.arange(0, batches, 1, scalarType('int32')), [batches, 1]);
    const places = aten.add(aten.reshape(at(indices!), [batches, count]), aten.mulScalar(starts, length));
    const row = aten.reshape(elements, [batches * length, outer * inner]);
    const picked = aten.indexSelect(row, 0, aten.reshape(places, [batches * count]));
    const ordered = aten.permute(aten.reshape(picked, [batches, count, outer, inner]), [0, 2, 1, 3]);
    return aten.clone(aten.reshape(ordered, shape), 0);
  });

  /** The places that rows of `depth` numbers mean in one row of elements. */
  const flatPlaces = (indices: TensorInfo, lengths: readonly number[]): Handle => {
    const rows = aten.reshape(at(indices), [-1, lengths.length]);
    const column = (axis: number) => aten.mulScalar(aten.narrow(rows, 1, axis, 1), product(lengths.slice(axis + 1)));
    const places = lengths.map((_, axis) => column(axis)).reduce((sum, next) => aten.add(sum, next));
    return aten.reshape(places, [-1]);
  };
  kernel('GatherNd', ({ params, indices }) => {
    const [shape, , slice] = gather_util.prepareAndValidate(params as Tensor, indices as Tensor);
    const depth = indices!.shape.at(-1)!;
    if (product(shape) === 0) return aten.zeros(shape, scalarType(params!.dtype));
    const elements = aten.reshape(at(params!), [-1, slice]);
    return aten.reshape(aten.indexSelect(elements, 0, flatPlaces(indices!, params!.shape.slice(0, depth))), shape);
  });

  const [indexAdd, indexCopy] = [operator('aten::index_add'), operator('aten::index_copy')];
  const int64 = (places: Handle): Handle => aten.to(places, 4);
  /** Puts `updates` into rows of `base`. */
  const scatter = (
    put: (...given: Handle[]) => Handle,
    { base, indices, updates }: { base: Handle; indices: TensorInfo; updates: Handle },
    shape: readonly number[],
  ): Handle => {
    const depth = indices.shape.length > 0 ? indices.shape.at(-1)! : 1;
    const slice = product(shape.slice(depth));
    const places = int64(flatPlaces(indices, shape.slice(0, depth)));
    const rows = aten.reshape(base, [-1, slice]);
    return aten.reshape(put(rows, 0 as Handle, places, aten.reshape(updates, [-1, slice])), shape);
  };
  kernel('ScatterNd', ({ indices, updates }, { shape }) => {
    scatter_util.validateInput(updates as Tensor, indices as Tensor, shape as number[]);
    const base = aten.zeros(shape as number[], scalarType(updates!.dtype));
    return scatter(indexAdd, { base, indices: indices!, updates: at(updates!) }, shape as number[]);
  });
  kernel('TensorScatterUpdate', ({ tensor, indices, updates }) =>
    scatter(indexCopy, { base: at(tensor!), indices: indices!, updates: at(updates!) }, tensor!.shape),
  );
  kernel('SparseToDense', ({ sparseIndices, sparseValues, defaultValue }, { outputShape }) => {
    const shape = outputShape as number[];
    const base = aten.expandCopy(at(defaultValue!), shape);
    const rank = shape.length;
    const count = sparseIndices!.shape.length === 2 ? sparseIndices!.shape[0]! : product(sparseIndices!.shape);
    const indices = { ...sparseIndices!, shape: [sparseIndices!.shape.length === 2 ? count : count / rank, rank] };
    const updates = aten.expandCopy(at(sparseValues!), [indices.shape[0]!]);
    return scatter(indexCopy, { base, indices, updates }, shape);
  });
  kernel('UnsortedSegmentSum', ({ x, segmentIds }, { numSegments }) => {
    const segments = numSegments as number;
    const [rows, rest] = [x!.shape[0]!, x!.shape.slice(1)];
    const ids = at(segmentIds!);
    // numbers of no segment go to one more, which is cut off
    const known = aten.logicalAnd(operator('aten::ge.Scalar')(ids, 0), operator('aten::lt.Scalar')(ids, segments));
    const places = int64(aten.reshape(aten.where(known, ids, scalar(segments, 'int32')), [rows]));
    const base = aten.zeros([segments + 1, ...rest], scalarType(x!.dtype));
    return aten.clone(aten.narrow(indexAdd(base, 0 as Handle, places, at(x!)), 0, 0, segments), 0);
  });

  /** Whether each element is each of the numbers from 0 to `depth`, in one more axis. */
  const isNumber = (indices: TensorInfo, depth: number): Handle =>
    aten.eq(aten.unsqueeze(at(indices), -1), aten.arange(0, depth, 1, scalarType(indices.dtype)));
  kernel('OneHot', ({ indices }, { depth, onValue, offValue, dtype }) => {
    const [on, off] = [onValue, offValue].map((value) => scalar(value as number, dtype as DataType)) as [
      Handle,
      Handle,
    ];
    return aten.where(isNumber(indices!, depth as number), on, off);
  });
  /** How often (or with which weights) each number is among the last axis. */
  const count = (x: TensorInfo, weights: TensorInfo, size: number): Handle => {
    const type = scalarType(weights.dtype);
    const hits = aten.to(isNumber(x, size), type);
    const weighted = product(weights.shape) === 0 ? hits : aten.mul(hits, aten.unsqueeze(at(weights), -1));
    return aten.sum(weighted, [x.shape.length - 1], false, type);
  };
  kernel('Bincount', ({ x, weights }, { size }) => count(x!, weights!, size as number));
  kernel('DenseBincount', ({ x, weights }, { size, binaryOutput }) => {
    if (!binaryOutput) return count(x!, weights!, size as number);
    return aten.to(aten.any(isNumber(x!, size as number), [x!.shape.length - 1]), scalarType(weights!.dtype));
  });

  kernel('TopK', ({ x }, { k }) => {
    // stable, so that of equal ones the first come first
    const [values, places] = aten.sort(at(x!), true, -1, true) as [Handle, Handle];
    const first = (tensor: Handle) => aten.narrow(tensor, -1, 0, k as number);
    return [aten.clone(first(values), 0), aten.to(first(places), scalarType('int32'), false, true, 0)];
  });
  const searchSorted = operator('aten::searchsorted.Tensor');
  kernel('SearchSorted', ({ sortedSequence, values }, { side }) =>
    searchSorted(at(sortedSequence!), at(values!), true, side === 'right'),
  );
}
