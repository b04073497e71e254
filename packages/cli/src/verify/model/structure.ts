import { graphParameterCount, multiplyAccumulates, variableSpecs } from '@bulwark/core/network';
import { goldenGraph, stateDictEntries } from '@bulwark/models';
import { exact, type Comparison } from '../comparison.js';
import type { Golden } from '../golden.js';
import { refuseUnknown } from './shared.js';

interface CountsGolden {
  readonly models: readonly (Record<string, number> & { readonly model: string; readonly source: string })[];
}

/** What `counts.json` says of one architecture, as we have it. */
function countsOf(model: string): Record<string, number> {
  const graph = goldenGraph(model);
  const wide = goldenGraph(model, 100);
  const specs = variableSpecs(graph);
  const statistics = specs.filter(({ trainable }) => !trainable);
  const layers = (op: string) => graph.nodes.filter((node) => node.op === op).length;
  return {
    params_10: graphParameterCount(graph),
    params_100: graphParameterCount(wide),
    macs_32x32_10: multiplyAccumulates(graph),
    macs_32x32_100: multiplyAccumulates(wide),
    buffers_floats: statistics.reduce((sum, { shape }) => sum + shape[0]!, 0),
    state_dict_entries: stateDictEntries(graph).length,
    trainable_tensors: specs.length - statistics.length,
    conv_layers: layers('conv'),
    bn_layers: layers('batch-norm'),
  };
}

/** Parameters, operations, layers and state-dict entries of many architectures. */
export function runCounts(json: Golden, comparison: Comparison): void {
  refuseUnknown(json, ['models'], comparison);
  for (const row of (json as unknown as CountsGolden).models) {
    // "as instantiated" with the unused sub_block1, which this framework does not allocate
    if (row.model.startsWith('wrn') && !row.model.endsWith('_nosubblock')) continue;
    const ours = countsOf(row.model);
    refuseUnknown(row, Object.keys(ours), comparison);
    for (const [quantity, value] of Object.entries(ours))
      if (quantity in row) comparison.compare({ quantity, part: row.model }, value, row[quantity]!, exact);
  }
}

type Named = readonly [string, readonly number[]];

/** Compares names and shapes, in order; one row. */
function compareNames(
  quantity: string,
  ours: readonly Named[],
  expected: readonly Named[],
  comparison: Comparison,
): void {
  const text = (list: readonly Named[]) => list.map(([name, shape]) => `${name} [${shape.join(', ')}]`);
  const [got, wanted] = [text(ours), text(expected)];
  const at = wanted.findIndex((line, i) => line !== got[i]);
  if (at >= 0 || got.length !== wanted.length)
    comparison.fail(quantity, `${quantity}[${at}]: ${got[at] ?? 'nothing'} instead of ${wanted[at] ?? 'nothing'}`);
  else comparison.compare({ quantity }, got.length, wanted.length, exact);
}

/** Names and shapes of one state dict, in order. */
export function runState(json: Golden, comparison: Comparison): void {
  refuseUnknown(json, ['entries'], comparison);
  const official = (json['entries'] as Named[]).filter(([name]) => !name.startsWith('sub_block1.'));
  const graph = goldenGraph(String(json['model']), json['num_classes'] as number);
  const ours = stateDictEntries(graph).map(({ name, layout }): Named => [name, layout.shape]);
  compareNames('entries', ours, official, comparison);
}

/** Output shapes of the named layers. */
export function runShapes(json: Golden, comparison: Comparison): void {
  const byName = (list: Named[]) => list.toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [model, modules] of Object.entries(json['models'] as Record<string, [string, string, number[]][]>)) {
    const { nodes, shapes } = goldenGraph(model);
    const ours = nodes.flatMap((node, id): Named[] => ('name' in node ? [[node.name, shapes[id]!]] : []));
    // activations and pools are modules in some official classes and functions in others; named layers are in all
    const official = modules
      .filter(([, kind]) => ['Conv2d', 'BatchNorm2d', 'Linear'].includes(kind))
      .map(([name, , shape]): Named => [name, shape]);
    compareNames(model, byName(ours), byName(official), comparison);
  }
}
