import type { Node } from '@bulwark/core/network';
import { isOwnKind } from '../own-convolution.js';
import { flagOf } from './attributes.js';
import type { Filter } from './convolution-layer.js';
import type { Tracing } from './layer.js';
import type { Value } from './nodes.js';

/** A graph is made before the number of images is known; this many is usual in training. */
const usualImages = 32;

/** Are our own ops (native/operators.h) the faster ones for it? `kept` says of what they are for: a filter that is transformed once for many passes. */
export function isOwn(
  { network, own, type }: Tracing,
  node: Node & { op: 'conv' },
  options: { kept: boolean },
): boolean {
  const image = network.shapes[node.input] as [number, number, number];
  // bfloat16 would lose too much in the transforms, and the library is fast in it
  if (type !== 'float' || !isOwnKind(node)) return false;
  return own?.worthwhile({ images: usualImages, image, filters: node.filters }, options) === true;
}

/**
 * Our own convolution, where it is faster than the library's. A transformed filter is four times its filter, so most are
 * made anew where they come to be used, in both directions, which takes a few per cent of the convolution's time. They are kept, until the
 * weights change, where images are so small that it would take more, in passes with fixed statistics, of which a step makes many.
 */
export function ownFilter(
  tracing: Tracing,
  node: Node & { op: 'conv' },
  fold: (() => Value) | undefined,
): Filter | undefined {
  if (!isOwn(tracing, node, { kept: true })) return undefined;
  const { graph, network, weight, ofWeights, kept, batchStatistics } = tracing;

  const name = `${node.name} filter`;
  const channels = network.shapes[node.input]!.at(-1)!;
  const filter = fold ?? (() => weight(`${node.name}.weight`, [3, 3, channels, node.filters]));
  const transformed = (...after: readonly Value[]) =>
    graph.op('BulwarkFilter', [filter(), ...after.map((x) => `^${x.split(':')[0]!}`)], {});
  /** Not before `x` is there; batches side by side share it. */
  const anew = (part: string, x: Value) => graph.once(`${name} ${part}`, () => transformed(x));

  const keep = !batchStatistics && !isOwn(tracing, node, { kept: false });
  const of = [36, channels, node.filters];
  const once = keep ? ofWeights(name, transformed, of) : undefined;
  // the weights may be others when the gradient is asked for, so what is computed of them goes along
  const back = (dy: Value) => (once === undefined ? anew('backward', dy) : kept(graph.float('Identity', once), of));
  const none = () => graph.once('nothing to add', () => graph.floats([0], []));
  return {
    forward: (x, { bias = none(), other = none(), relu }) =>
      graph.op('BulwarkConvolution', [x, once ?? anew('forward', x), bias, other], { relu: flagOf(relu) }),
    gradient: (dy) => graph.op('BulwarkConvolutionGradient', [dy, back(dy)], {}),
  };
}
