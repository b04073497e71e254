import { BulwarkError, type Classifier, type InputNormalisation } from '@bulwark/core';
import { normalisationOf } from '@bulwark/core/classifier';
import { nearest } from '@bulwark/core/plugins';
import { candidatesIn, distinct, fits, isAt, placeName, shortNames, type Candidate, type Match } from './fit.js';
import { architectureHint } from './identify.js';
import { inUnits, normalisationFor, sameNormalisation } from './normalisation.js';
import { weightEntries } from './state-dict.js';
import type { FlatTensors } from './tree.js';

export type { Match } from './fit.js';

/** A file's tensors and how its errors name it. */
export interface MatchSource extends FlatTensors {
  readonly where: string;
  /** `bulwark`: in our own memory layout, as checkpoints have it. */
  readonly layout?: 'pytorch' | 'bulwark';
}

const quantity = (count: number, what: string) => `${count} ${what} tensor${count === 1 ? '' : 's'}`;
const listed = (lines: readonly string[]) =>
  lines.length > 8 ? `${lines.slice(0, 8).join(', ')} and ${lines.length - 8} more` : lines.join(', ');
const shapeText = (shape: readonly number[]) => `[${shape.join(', ')}]`;

/** The tensors that this architecture may find in official checkpoints, but has no use for. */
function isUnused(name: string, classifier: Classifier): boolean {
  // counters; MeanSparse has two more, of the pass that gathered its statistics
  if (/(?:^|\.)(?:num_batches_tracked|batch_num|flag_update_statistics)$/.test(name)) return true;
  // PSSiLU's two parameters belong to the whole network, but are listed under every block
  if (/^.*\.activation\.(?:alpha|beta)$/.test(name) && classifier.parameters.has('activation.alpha')) return true;
  // TRADES' Wide ResNet instantiates stage 1 twice and never runs the second copy
  return name.startsWith('sub_block1.') && classifier.parameters.has('block1.layer.0.conv1.weight');
}

function refuse(message: string, hint: string): never {
  throw new BulwarkError('WEIGHTS_INVALID', message, { hint });
}

/**
 * Pairs every variable of the classifier with a tensor of the file, or explains what does not fit: missing, extra and misshapen
 * tensors with the nearest names. Nothing is changed.
 * @param options.from where in the file the network is; needed only if several different ones fit
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function matchWeights(
  classifier: Classifier,
  source: MatchSource,
  options: { from?: string | undefined } = {},
): readonly Match[] {
  const entries = weightEntries(classifier, source.layout).filter(({ kind }) => kind === 'variable');
  const all = candidatesIn(source, entries, (name, full) => isUnused(name, classifier) || isBuffer(full, source));
  const candidates = options.from === undefined ? all : all.filter((candidate) => isAt(candidate, options.from!));
  if (options.from !== undefined && candidates.length === 0) throw nothingThere(source, all, options.from);
  const chosen = choose(candidates.filter(fits), source.where) ?? candidates[0];
  if (!chosen) throw noNetwork(classifier, source);
  if (!fits(chosen)) throw misfit(classifier, chosen, source);
  for (const { entry, tensor } of chosen.matches)
    if (tensor.dtype !== 'F32')
      refuse(
        `${source.where}: ${entry.name} is ${tensor.dtype}, not F32`,
        'save the weights as floating-point numbers',
      );
  checkNormalisation(classifier, source, chosen);
  return chosen.matches;
}

/** A wrapper's mean or standard deviation: small, and named so. */
function isBuffer(full: string, { tensors }: MatchSource): boolean {
  const { shape } = tensors.get(full)!;
  return /(?:^|[._])(?:mean|mu|std|sigma)$/i.test(full) && shape.reduce((size, n) => size * n, 1) <= 4;
}

/** The one network that fits; asks if there are several with different values. */
function choose(fitting: readonly Candidate[], where: string): Candidate | undefined {
  if (fitting.length < 2) return fitting[0];
  const different = distinct(fitting);
  if (different.length < 2) return different[0];
  const names = shortNames(different);
  return refuse(
    `${where} holds ${different.length} networks that fit, with different values: ${names.map((name) => name || '(the outermost)').join(', ')}`,
    `say which: weights: { file: ..., from: ${names.at(-1)} } in a config, --from ${names.at(-1)} on the command line`,
  );
}

function nothingThere({ where }: MatchSource, all: readonly Candidate[], from: string): BulwarkError {
  const names = all.slice(0, 5).map((candidate) => placeName(candidate) || '(the outermost)');
  return new BulwarkError(
    'WEIGHTS_INVALID',
    `${where} holds no network at ${from}; there are ${names.join(', ') || 'none'}`,
    {
      hint: names.length > 1 ? 'name one of these with `from`' : 'leave `from` out',
    },
  );
}

function noNetwork(classifier: Classifier, source: MatchSource): BulwarkError {
  const names = [...source.tensors.keys()];
  const others = [...source.foreign].slice(0, 3).map(([path, what]) => `${path || 'the whole'} is ${what}`);
  if (names.length === 0)
    return new BulwarkError(
      'WEIGHTS_INVALID',
      `${source.where} holds no tensors${others.length > 0 ? `: ${others.join(', ')}` : ''}; nothing was executed`,
      { hint: 'save a dictionary of tensors: torch.save(model.state_dict(), path)' },
    );
  const hint = architectureHint(source, classifier);
  return new BulwarkError(
    'WEIGHTS_INVALID',
    `${source.where} holds no network of the kind ${classifier.name}: its tensors are ${listed(names)}${hint ? `; ${hint.found}` : ''}`,
    { hint: hint?.hint ?? 'name the architecture of the file' },
  );
}

/**
 * Normalisation that a wrapper keeps beside the network must be what the model does, because the logits would differ otherwise.
 */
function checkNormalisation(classifier: Classifier, source: MatchSource, { prefix }: Candidate): void {
  const found = normalisationFor(source, prefix);
  const ours = normalisationOf(classifier);
  if (!found || ours === undefined || sameNormalisation(found, ours, classifier.inputShape[2])) return;
  const list = (values: readonly number[]) => `[${values.map((value) => +value.toPrecision(6)).join(', ')}]`;
  const text = ({ mean, std }: InputNormalisation) => `mean ${list(mean)}, std ${list(std)}`;
  const meant = inUnits(found)!;
  throw new BulwarkError(
    'WEIGHTS_INVALID',
    `${source.where} normalises its input by ${found.names.join(' and ')}: ${text(found)}; the model by ${ours ? text(ours) : 'nothing'}`,
    {
      hint: `set model.normalize: { mean: ${list(meant.mean)}, std: ${list(meant.std)} }${meant === found ? '' : ', the same for images in [0, 1]'}`,
    },
  );
}

function misfit(classifier: Classifier, candidate: Candidate, source: MatchSource): BulwarkError {
  const { missing, misshapen, extra, prefix } = candidate;
  const near = (name: string, among: readonly string[]) => {
    const found = among.length > 2000 ? undefined : nearest(name, among);
    return found ? `${name} (nearest: ${found})` : name;
  };
  const absent = (name: string) => {
    const instead = source.foreign.get(prefix + name);
    return instead === undefined ? near(name, extra) : `${name} (in its place is ${instead}, not a tensor)`;
  };
  const parts: string[] = [];
  if (missing.length > 0)
    parts.push(
      `${quantity(missing.length, 'missing')}: ${listed(missing.map((name, i) => (i < 8 ? absent(name) : name)))}`,
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
  if (missing.length + extra.length === 0 && bias && misshapen.length <= 2)
    return new BulwarkError(
      'WEIGHTS_INVALID',
      `${source.where} has ${bias.tensor.shape[0]} classes, the model ${classifier.name} has ${classifier.classes}`,
      { hint: 'use the data set that the weights were trained on' },
    );
  const hint = architectureHint(source, classifier);
  return new BulwarkError(
    'WEIGHTS_INVALID',
    `${source.where} does not fit the model ${classifier.name}${hint ? `; ${hint.found}` : ''}: ${parts.join('; ')}`,
    { hint: hint?.hint ?? 'check that architecture, width and depth are those of the file' },
  );
}
