import {
  BulwarkError,
  type ArchitectureSpec,
  type Classifier,
  type ImageShape,
  type NetworkGraph,
} from '@bulwark/core';
import { mlp } from '../architectures/mlp.js';
import { preActResnet } from '../architectures/preact-resnet.js';
import { resnet } from '../architectures/resnet.js';
import { smallCnn } from '../architectures/small-cnn.js';
import { vgg, vggDepths, type VggDepth } from '../architectures/vgg.js';
import { wideResnet } from '../architectures/wide-resnet.js';
import { candidatesIn, fits, type Candidate } from './fit.js';
import { stateDictEntries } from './layout.js';
import type { FlatTensors } from './tree.js';

/** What can be seen of a network under a prefix. */
interface Sight {
  readonly shape: (name: string) => readonly number[] | undefined;
  /** Number of names that `name(1)`, `name(2)`, ... (or from 0) go on without a gap. */
  readonly count: (name: (i: number) => string, from?: number) => number;
}

/** How one architecture is recognised: a name that it always has, and the options that shapes tell. */
interface Family {
  readonly use: string;
  readonly anchor: string;
  /** Where the number of classes is. */
  readonly head: string;
  guess(sight: Sight): Record<string, unknown> | undefined;
  graph(options: never): NetworkGraph;
}

const width = ({ shape }: Sight, name: string) => shape(name)?.[0];

function stages({ count }: Sight): number[] {
  const stageCount = count((stage) => `layer${stage}.0.conv1.weight`);
  return Array.from({ length: stageCount }, (_, i) => count((block) => `layer${i + 1}.${block}.conv1.weight`, 0));
}

const families: readonly Family[] = [
  {
    use: 'small-cnn',
    anchor: 'conv3.weight',
    head: 'fc.weight',
    guess: (sight) => ({ width: width(sight, 'conv1.weight') }),
    graph: smallCnn,
  },
  {
    use: 'mlp',
    anchor: 'fc1.weight',
    head: 'fc.weight',
    guess: (sight) => ({ width: width(sight, 'fc1.weight'), depth: sight.count((i) => `fc${i}.weight`) }),
    graph: mlp,
  },
  {
    use: 'resnet18',
    anchor: 'layer1.0.conv1.weight',
    head: 'linear.weight',
    guess: (sight) => ({ width: width(sight, 'conv1.weight'), blocks: stages(sight) }),
    graph: resnet,
  },
  {
    use: 'preact-resnet18',
    anchor: 'layer1.0.conv1.weight',
    head: 'linear.weight',
    guess: (sight) => ({
      width: width(sight, 'conv1.weight'),
      blocks: stages(sight),
      finalNorm: sight.shape('bn.weight') !== undefined,
      shortcut: 'activated',
    }),
    graph: preActResnet,
  },
  {
    use: 'wide-resnet',
    anchor: 'block1.layer.0.conv1.weight',
    head: 'fc.weight',
    guess: (sight) => ({
      depth: 6 * sight.count((i) => `block1.layer.${i}.conv1.weight`, 0) + 4,
      width: (width(sight, 'block1.layer.0.conv1.weight') ?? 0) / 16,
    }),
    graph: wideResnet,
  },
  ...vggDepths.map((depth: VggDepth): Family => ({
    use: 'vgg',
    anchor: 'features.0.weight',
    head: 'classifier.weight',
    guess: (sight) => ({ depth, width: width(sight, 'features.0.weight') }),
    graph: vgg,
  })),
];

/** An architecture that a file may hold. */
export interface Identified {
  readonly architecture: ArchitectureSpec;
  readonly classes: number;
  readonly candidate: Candidate;
  /** Every tensor is where it belongs, and none is left. */
  readonly whole: boolean;
}

function sightUnder({ tensors }: FlatTensors, prefix: string): Sight {
  const shape: Sight['shape'] = (name) => tensors.get(prefix + name)?.shape;
  const count: Sight['count'] = (name, from = 1) => {
    let n = from;
    while (shape(name(n)) !== undefined) n++;
    return n - from;
  };
  return { shape, count };
}

function identifyAs(family: Family, flat: FlatTensors, inputShape: ImageShape): Identified | undefined {
  const anchor = [...flat.tensors.keys()].find((name) => name === family.anchor || name.endsWith(`.${family.anchor}`));
  if (anchor === undefined) return undefined;
  const sight = sightUnder(flat, anchor.slice(0, -family.anchor.length));
  const options = family.guess(sight);
  const classes = sight.shape(family.head)?.[0];
  if (!options || classes === undefined) return undefined;
  try {
    const graph = family.graph({ inputShape, classes, ...options } as never);
    const isUnused = (name: string) => name.endsWith('num_batches_tracked') || name.startsWith('sub_block1.');
    const entries = stateDictEntries(graph).filter(({ kind }) => kind === 'variable');
    const [candidate] = candidatesIn(
      flat,
      entries,
      (name, full) => isUnused(name) || flat.tensors.get(full)!.shape.length === 0,
    );
    if (!candidate) return undefined;
    return { architecture: { use: family.use, ...options }, classes, candidate, whole: fits(candidate) };
  } catch (error) {
    // a guess that no such architecture can have: shapes of another one
    if (error instanceof BulwarkError) return undefined;
    throw error;
  }
}

/** The built-in architectures that a file may hold, the best match first. */
export function identify(flat: FlatTensors, inputShape: ImageShape): Identified[] {
  const share = ({ candidate }: Identified) =>
    candidate.matches.length /
    (candidate.matches.length + candidate.missing.length + candidate.misshapen.length + candidate.extra.length);
  return families
    .flatMap((family) => identifyAs(family, flat, inputShape) ?? [])
    .sort((a, b) => Number(b.whole) - Number(a.whole) || share(b) - share(a));
}

const optionText = (options: Record<string, unknown>) =>
  Object.entries(options)
    .map(([key, value]) => `${key} ${JSON.stringify(value).replaceAll('"', '')}`)
    .join(', ');

/** What the file holds instead, for an error about a model that it does not fit. */
export function architectureHint(
  flat: FlatTensors,
  classifier: Classifier,
): { found: string; cure: string } | undefined {
  const [best] = identify(flat, classifier.inputShape);
  if (!best) return undefined;
  const { architecture, classes, whole, candidate } = best;
  const { use, ...options } = architecture;
  const all = candidate.matches.length + candidate.missing.length + candidate.misshapen.length;
  if (!whole && candidate.matches.length < 0.6 * all) return undefined;
  const ours = classifier.architecture;
  const differing =
    ours?.use === use
      ? Object.fromEntries(
          Object.entries(options).filter(([key, value]) => JSON.stringify(ours[key]) !== JSON.stringify(value)),
        )
      : options;
  const kind = whole ? 'it is' : `nearest is (${candidate.matches.length} of ${all} tensors)`;
  const forModel =
    ours?.use === use
      ? ` (the model has ${optionText(Object.fromEntries(Object.keys(differing).map((key) => [key, ours[key]])))})`
      : '';
  const classText = classes === classifier.classes ? '' : `, ${classes} classes (the model has ${classifier.classes})`;
  const found = `${kind} a ${use}${Object.keys(differing).length > 0 ? ` with ${optionText(differing)}${forModel}` : ''}${classText}`;
  const spec = Object.entries(options).map(([key, value]) => `${key}: ${JSON.stringify(value).replaceAll('"', '')}`);
  return { found, cure: `use model: { use: ${[use, ...spec].join(', ')} }` };
}
