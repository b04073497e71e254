import { BulwarkError, nearest, type Classifier, type StoredTensor } from '@bulwark/core';
import type { Entry } from './layout.js';
import { weightEntries } from './state-dict.js';

type Tensors = ReadonlyMap<string, StoredTensor>;

/** Names that training wrappers put before the names of the network inside them. */
const wrappers = /^(?:(?:module|model|net|network|backbone|base_model|_orig_mod|attack_model|\d+)\.)*$/;

/**
 * The prefix under which the file holds the network: `module.` of DataParallel, `model.` or `1.` of RobustBench, or none.
 * @throws BulwarkError WEIGHTS_INVALID if the file holds two networks
 */
export function findPrefix(tensors: Tensors, wanted: readonly string[]): string {
  const [first = ''] = wanted;
  const candidates = [...tensors.keys()]
    .filter((name) => name.endsWith(first))
    .map((name) => name.slice(0, name.length - first.length))
    .filter((prefix) => wrappers.test(prefix));
  const matched = (prefix: string) => wanted.filter((name) => tensors.has(prefix + name)).length;
  const ranked = candidates
    .map((prefix) => ({ prefix, count: matched(prefix) }))
    .sort((a, b) => b.count - a.count || a.prefix.length - b.prefix.length);
  const [best, second] = ranked;
  if (best && second && best.count === second.count)
    throw new BulwarkError(
      'WEIGHTS_INVALID',
      `the file holds more than one network: under ${JSON.stringify(best.prefix)} and ${JSON.stringify(second.prefix)}`,
      { cure: 'say which with the option prefix' },
    );
  return best?.prefix ?? '';
}

/** A tensor of the file and the variable it belongs to. */
export interface Match {
  readonly entry: Entry;
  readonly tensor: StoredTensor;
}

const quantity = (count: number, what: string) => `${count} ${what} tensor${count === 1 ? '' : 's'}`;
const listed = (lines: readonly string[]) =>
  lines.length > 8 ? `${lines.slice(0, 8).join(', ')} and ${lines.length - 8} more` : lines.join(', ');
const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;
const buffers = /^(?:mean|std|mu|sigma)$/;

/** The tensors that this architecture may find in official checkpoints, but has no use for. */
function isUnused(name: string, classifier: Classifier): boolean {
  if (name.endsWith('num_batches_tracked')) return true;
  // TRADES' Wide ResNet instantiates stage 1 twice and never runs the second copy
  return name.startsWith('sub_block1.') && classifier.parameters.has('block1.layer.0.conv1.weight');
}

/**
 * Normalisation that a wrapper keeps beside the network (`mean`, `mu`; `std`, `sigma`): accepted if the model normalises its
 * input by the same numbers, because the logits would differ otherwise.
 */
function checkNormalisation(name: string, tensor: StoredTensor, classifier: Classifier): void {
  const key = /std|sigma/.test(name) ? 'std' : 'mean';
  const values = Array.from(tensor.data as Float32Array, Number);
  const graph = 'graph' in classifier ? (classifier as { graph: { nodes: readonly object[] } }).graph : undefined;
  const node = graph?.nodes.find((each) => 'op' in each && each.op === 'normalize') as
    Record<'mean' | 'std', readonly number[]> | undefined;
  const neutral = values.map(() => (key === 'std' ? 1 : 0));
  const ours = node?.[key] ?? neutral;
  if (values.length === ours.length && values.every((value, i) => Math.abs(value - ours[i]!) < 1e-5)) return;
  throw new BulwarkError(
    'WEIGHTS_INVALID',
    `the checkpoint normalises its input by ${name} [${values.map((v) => +v.toPrecision(6)).join(', ')}], the model by ${node ? `[${ours.join(', ')}]` : 'nothing'}`,
    { cure: 'set model.normalize: { mean: [...], std: [...] } to the numbers of the checkpoint' },
  );
}

/**
 * Pairs every variable of the classifier with a tensor of the file, or explains what does not fit: missing, extra and misshapen
 * tensors with the nearest names. Nothing is changed.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function matchWeights(
  classifier: Classifier,
  tensors: Tensors,
  options: { prefix?: string | undefined; where: string },
): Match[] {
  const entries = weightEntries(classifier).filter(({ kind }) => kind === 'variable');
  const wanted = entries.map(({ name }) => name);
  const prefix = options.prefix ?? findPrefix(tensors, wanted);
  const missing: string[] = [];
  const misshapen: Match[] = [];
  const matches: Match[] = [];
  const known = new Set(wanted);
  const extra: string[] = [];
  for (const [fileName, tensor] of tensors) {
    const name = fileName.startsWith(prefix) ? fileName.slice(prefix.length) : fileName;
    const last = fileName.split('.').at(-1)!;
    if (fileName.startsWith(prefix) && known.has(name)) continue;
    if (isUnused(name, classifier)) continue;
    if (buffers.test(last)) checkNormalisation(fileName, tensor, classifier);
    else extra.push(fileName);
  }
  for (const entry of entries) {
    const tensor = tensors.get(prefix + entry.name);
    if (!tensor) missing.push(entry.name);
    else if (tensor.shape.join() !== entry.layout.shape.join()) misshapen.push({ entry, tensor });
    else if (!(tensor.data instanceof Float32Array))
      throw new BulwarkError('WEIGHTS_INVALID', `${options.where}: ${entry.name} is ${tensor.dtype}, not F32`, {
        cure: 'save the weights as floating-point numbers',
      });
    else matches.push({ entry, tensor });
  }
  if (missing.length + misshapen.length + extra.length > 0)
    throw misfit({ classifier, missing, misshapen, extra, where: options.where });
  return matches;
}

interface Misfit {
  readonly classifier: Classifier;
  readonly missing: readonly string[];
  readonly misshapen: readonly Match[];
  readonly extra: readonly string[];
  readonly where: string;
}

function misfit({ classifier, missing, misshapen, extra, where }: Misfit): BulwarkError {
  const near = (name: string, among: readonly string[]) => {
    const found = among.length > 2000 ? undefined : nearest(name, among);
    return found ? `${name} (nearest: ${found})` : name;
  };
  const parts: string[] = [];
  if (missing.length > 0)
    parts.push(
      `${quantity(missing.length, 'missing')}: ${listed(missing.map((name, i) => (i < 8 ? near(name, extra) : name)))}`,
    );
  if (extra.length > 0)
    parts.push(
      `${quantity(extra.length, 'extra')}: ${listed(extra.map((name, i) => (i < 8 ? near(name, missing) : name)))}`,
    );
  if (misshapen.length > 0)
    parts.push(
      `${quantity(misshapen.length, 'misshapen')}: ${listed(
        misshapen.map(
          ({ entry, tensor }) =>
            `${entry.name} is ${shapeText(tensor.shape)}, the model needs ${shapeText(entry.layout.shape)}`,
        ),
      )}`,
    );
  const bias = misshapen.find(
    ({ entry }) => entry.layout.shape.length === 1 && entry.layout.shape[0] === classifier.classes,
  );
  const onlyHead = missing.length + extra.length === 0 && bias && misshapen.length <= 2;
  return new BulwarkError(
    'WEIGHTS_INVALID',
    onlyHead
      ? `${where} has ${bias.tensor.shape[0]} classes, the model ${classifier.name} has ${classifier.classes}`
      : `${where} does not fit the model ${classifier.name}: ${parts.join('; ')}`,
    {
      cure: onlyHead
        ? 'use the data set that the weights were trained on'
        : 'check that architecture, width and depth are those of the file',
    },
  );
}
