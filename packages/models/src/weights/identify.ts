import { BulwarkError, type ArchitectureSpec, type Classifier, type ImageShape } from '@bulwark/core';
import { families, type Family, type Sight } from './families.js';
import { candidatesIn, fits, type Candidate } from './fit.js';
import { stateDictEntries } from './layout.js';
import type { FlatTensors } from './tree.js';

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
  // the same name may stand under every block, too
  const [anchor] = [...flat.tensors.keys()]
    .filter((name) => name === family.anchor || name.endsWith(`.${family.anchor}`))
    .sort((a, b) => a.length - b.length);
  if (anchor === undefined) return undefined;
  const sight = sightUnder(flat, anchor.slice(0, -family.anchor.length));
  const options = family.guess(sight);
  const classes = sight.shape(family.head)?.[0];
  if (!options || classes === undefined) return undefined;
  try {
    const graph = family.graph({ inputShape, classes, ...options } as never);
    const isUnused = (name: string) =>
      /(?:num_batches_tracked|batch_num|flag_update_statistics)$|^sub_block1\.|.\.activation\.(?:alpha|beta)$|(?:^|\.)(?:mu|sigma|mean|std)$/.test(
        name,
      );
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
): { found: string; hint: string } | undefined {
  const [best, second] = identify(flat, classifier.inputShape);
  if (!best) return undefined;
  const { architecture, classes, whole, candidate } = best;
  const { use, ...options } = architecture;
  const all = candidate.matches.length + candidate.missing.length + candidate.misshapen.length;
  if (!whole && candidate.matches.length < 0.6 * all) {
    const near = [best, second].filter((one) => one && one.candidate.matches.length > 0) as Identified[];
    if (near.length === 0) return undefined;
    const named = near.map((one) => `a ${one.architecture.use} (${one.candidate.matches.length} of its tensors fit)`);
    const found = `nearest of the built-in architectures: ${named.join(', then ')}`;
    return { found, hint: 'check that architecture, width and depth are those of the file' };
  }
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
  return { found, hint: `use model: { use: ${[use, ...spec].join(', ')} }` };
}
