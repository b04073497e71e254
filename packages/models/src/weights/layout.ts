import type { NetworkGraph, VariableSpec } from '@bulwark/core';
import { variableSpecs } from '@bulwark/core/network';

/**
 * How one tensor differs between PyTorch's memory and ours: convolutions are OIHW there and HWIO here, linear kernels
 * `[out, in]` there and `[in, out]` here; a linear layer after a flatten counts its inputs as CHW there and as HWC here.
 */
export interface Layout {
  /** Shape in PyTorch. */
  readonly shape: readonly number[];
  /** Calls back with the position in our memory of each element in PyTorch's order; absent where they agree. */
  readonly walk?: (visit: (ours: number) => void) => void;
}

function convolution([h, w, i, o]: readonly [number, number, number, number]): Layout {
  return {
    shape: [o, i, h, w],
    walk(visit) {
      for (let f = 0; f < o; f++)
        for (let c = 0; c < i; c++) for (let p = 0; p < h * w; p++) visit((p * i + c) * o + f);
    },
  };
}

/** @param image `[h, w, c]` of the flattened image; `[1, 1, inputs]` where the input was never an image */
function linear(units: number, [h, w, c]: readonly [number, number, number]): Layout {
  return {
    shape: [units, h * w * c],
    walk(visit) {
      for (let unit = 0; unit < units; unit++)
        for (let k = 0; k < c; k++) for (let p = 0; p < h * w; p++) visit((p * c + k) * units + unit);
    },
  };
}

/** One entry of a state dict: a variable of ours in PyTorch's layout, or a counter that we do not have. */
export interface Entry {
  readonly name: string;
  readonly layout: Layout;
  /** `counter`: `num_batches_tracked`, an int64 scalar that nothing reads. */
  readonly kind: 'variable' | 'counter';
}

/** The shape of the image that a linear layer's input was flattened from, by the layer's name. */
function flattenedImages(graph: NetworkGraph): Map<string, readonly number[]> {
  const images = new Map<string, readonly number[]>();
  for (const node of graph.nodes) {
    const from = node.op === 'linear' ? graph.nodes[node.input]! : undefined;
    if (node.op === 'linear' && from?.op === 'flatten') images.set(`${node.name}.weight`, graph.shapes[from.input]!);
  }
  return images;
}

/** The state dict of the PyTorch module with this architecture: names, shapes and order. */
export function stateDictEntries(graph: NetworkGraph): Entry[] {
  const images = flattenedImages(graph);
  const layout = ({ name, shape }: VariableSpec): Layout => {
    if (shape.length === 4) return convolution(shape as unknown as [number, number, number, number]);
    if (shape.length === 2)
      return linear(shape[1]!, (images.get(name) ?? [1, 1, shape[0]!]) as unknown as [number, number, number]);
    return { shape };
  };
  const specs = variableSpecs(graph);
  const names = new Set(specs.map(({ name }) => name));
  return specs.flatMap((spec): Entry[] => {
    const entry: Entry = { name: spec.name, layout: layout(spec), kind: 'variable' };
    // BatchNorm counts its batches; other layers with a running variance do not
    const counts = spec.name.endsWith('.running_var') && names.has(spec.name.replace(/running_var$/, 'bias'));
    if (!counts) return [entry];
    const counter = spec.name.replace(/running_var$/, 'num_batches_tracked');
    return [entry, { name: counter, layout: { shape: [] }, kind: 'counter' }];
  });
}

export function toPyTorchOrder(values: Float32Array, { walk }: Layout): Float32Array {
  if (!walk) return values.slice();
  const theirs = new Float32Array(values.length);
  let at = 0;
  walk((ours) => void (theirs[at++] = values[ours]!));
  return theirs;
}

export function fromPyTorchOrder(values: Float32Array, { walk }: Layout): Float32Array {
  if (!walk) return values;
  const ours = new Float32Array(values.length);
  let at = 0;
  walk((to) => void (ours[to] = values[at++]!));
  return ours;
}
