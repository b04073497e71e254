import type { Node } from '@bulwark/core/network';
import { isOwnKind } from '../own-convolution.js';
import { flagOf } from './attributes.js';
import type { Filter, Fold } from './convolution-layer.js';
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
export function ownFilter(tracing: Tracing, node: Node & { op: 'conv' }, fold: Fold | undefined): Filter | undefined {
  if (!isOwn(tracing, node, { kept: true })) return undefined;
  const { graph, network, weight, ofWeights, kept, batchStatistics } = tracing;

  const name = `${node.name} filter`;
  const channels = network.shapes[node.input]!.at(-1)!;
  const filter = (scale: Value | undefined) =>
    fold && scale !== undefined ? fold.filter(scale) : weight(`${node.name}.weight`, [3, 3, channels, node.filters]);
  const transformed = (scale: Value | undefined, ...after: readonly Value[]) =>
    graph.op('BulwarkFilter', [filter(scale), ...after.map((x) => `^${x.split(':')[0]!}`)], {});
  /** Not before `x` is there; batches side by side share it. */
  const anew = (part: string, x: Value, scale: Value | undefined) =>
    graph.once(`${name} ${part}`, () => transformed(scale, x));

  const keep = !batchStatistics && !isOwn(tracing, node, { kept: false });
  const of = [36, channels, node.filters];
  const once = keep ? ofWeights(name, () => transformed(fold?.scale()), of) : undefined;
  const scale = fold && !keep ? ofWeights(`${name} scale`, () => fold.scale(), [node.filters]) : undefined;
  // statistics may be others when the gradient is asked for, so what is computed of them goes along, in each batch
  const back = (dy: Value) => {
    if (once !== undefined) return kept(graph.float('Identity', once), of);
    return anew('backward', dy, scale === undefined ? undefined : kept(graph.float('Identity', scale), [node.filters]));
  };
  const none = () => graph.once('nothing to add', () => graph.floats([0], []));
  return {
    forward: (x, { bias = none(), other = none(), relu }) =>
      graph.op('BulwarkConvolution', [x, once ?? anew('forward', x, scale), bias, other], { relu: flagOf(relu) }),
    gradient: (dy) => graph.op('BulwarkConvolutionGradient', [dy, back(dy)], {}),
  };
}
