import {
  BulwarkError,
  type Attack,
  type EvaluationResult,
  type ImageSet,
  type NormName,
  type PluginSpec,
} from '@bulwark/core';
import { readIfThere, textOf, writeAtomically } from '@bulwark/core/files';
import { autoAttackLog, doubts, standard, standardStages } from './autoattack-log.js';

/** A model's entry in RobustBench's `model_info`, in the order of its files. */
export interface RobustBenchEntry {
  readonly link: string;
  readonly name: string;
  readonly authors: string;
  /** Whether it was trained on more than the data set's own images. */
  readonly additional_data: boolean;
  readonly number_forward_passes: number;
  readonly dataset: string;
  readonly venue: string;
  readonly architecture: string;
  readonly eps: string;
  /** In percent, two decimals. */
  readonly clean_acc: string;
  /** The robust accuracy that the paper claims. */
  readonly reported: string;
  readonly autoattack_acc: string;
  /** Whether AutoAttack's own checks doubt the figure. */
  readonly unreliable: boolean;
  readonly footnote?: string;
}

/** What an evaluation does not know of a claim. */
export type PaperFacts = Partial<
  Pick<
    RobustBenchEntry,
    'link' | 'name' | 'authors' | 'additional_data' | 'venue' | 'architecture' | 'reported' | 'footnote'
  >
>;

const percent = (share: number) => (100 * share).toFixed(2);

/** Architectures as RobustBench's tables write them. */
function architectureName({ use, ...options }: PluginSpec): string {
  const { depth, width } = options as { depth?: number; width?: number };
  if (use.endsWith('wide-resnet')) return `WideResNet-${depth}-${width}`;
  if (use === 'vgg') return `VGG-${depth}`;
  const names: Record<string, string> = { resnet18: 'ResNet-18', resnet50: 'ResNet-50' };
  return names[use] ?? (use.endsWith('preact-resnet18') ? 'PreActResNet-18' : use);
}

/** A radius as RobustBench writes it: `8/255`, `128/255`, `0.5`. */
export function radiusText(epsilon: number): string {
  const bytes = 255 * epsilon;
  return epsilon > 0 && Math.abs(bytes - Math.round(bytes)) < 1e-6 ? `${Math.round(bytes)}/255` : String(epsilon);
}

/**
 * The entry of a result in RobustBench's form. Only AutoAttack's figure counts, whatever else was run.
 * @throws BulwarkError USAGE without a finished AutoAttack standard
 */
export function robustBenchEntry(
  result: EvaluationResult,
  of: { model: PluginSpec; data: string; paper?: PaperFacts },
): RobustBenchEntry {
  const robust = percent(standardStages(result).at(-1)!.accuracy);
  const { paper = {} } = of;
  return {
    link: paper.link ?? '',
    name: paper.name ?? '',
    authors: paper.authors ?? '',
    additional_data: paper.additional_data ?? false,
    number_forward_passes: result.repeats ?? 1,
    dataset: of.data,
    venue: paper.venue ?? 'Unpublished',
    architecture: paper.architecture ?? architectureName(of.model),
    eps: radiusText(result.threat.epsilon),
    clean_acc: percent(result.clean.accuracy),
    reported: paper.reported ?? robust,
    autoattack_acc: robust,
    unreliable: result.findings.some(({ id }) => doubts.includes(id)),
    ...(paper.footnote !== undefined && { footnote: paper.footnote }),
  };
}

/** What keeps an entry from being submitted as it is, in words. */
export function claimGaps(entry: RobustBenchEntry, result: EvaluationResult): string[] {
  const { data, threat } = result;
  const adopted = standardStages(result).some(({ reused = 0 }) => reused > 0);
  const known: Readonly<Record<string, number>> = { cifar10: 10000, cifar100: 10000, imagenet: 5000 };
  const images = known[entry.dataset];
  const empty = (['name', 'authors', 'link'] as const).filter((field) => entry[field] === '');
  return [
    ...(images === undefined ? [`RobustBench has no ${entry.dataset}; it has ${Object.keys(known).join(', ')}`] : []),
    ...(images !== undefined && data.count !== images
      ? [`it was measured on ${data.count} images instead of ${images}`]
      : []),
    ...(adopted ? ['images that count as broken were broken within a smaller radius of a curve: add --fresh'] : []),
    ...(rated.includes(threat.norm) ? [] : [`RobustBench has no ${threat.norm}`]),
    ...(empty.length > 0
      ? [`${empty.join(', ')} ${empty.length > 1 ? 'are' : 'is'} empty: write them into the file, they are kept`]
      : []),
  ];
}

/** The norms that RobustBench has tables of. */
const rated: readonly NormName[] = ['linf', 'l2'];

/** Whether these attacks have AutoAttack standard among them. */
const asksForStandard = (specs: readonly PluginSpec[]) =>
  specs.some(
    ({ use, version = 'standard', queries = 5000, ...others }) =>
      use === 'autoattack' && version === 'standard' && queries === 5000 && Object.keys(others).length === 0,
  );

/** @throws BulwarkError USAGE where the model has too few classes for the standard version, before anything is measured */
export function checkStandard(attacks: readonly Attack[], classes: number): void {
  if (attacks.some((attack) => (attack.forClasses?.(classes) ?? attack).label === standard)) return;
  throw new BulwarkError('USAGE', `--robustbench: a model of ${classes} classes has too few for AutoAttack standard`, {
    hint: 'leave it out: targeted DLR needs 4 classes',
  });
}

/** Where a claim is written: the entry as JSON, the log beside it. */
export interface ClaimFile {
  /** Of a file that is there already: what an evaluation does not know. */
  readonly paper: PaperFacts;
  /** @returns what keeps the claim from being submitted as it is */
  write(
    result: EvaluationResult,
    of: { model: PluginSpec; data: string; batchSize: number; images: ImageSet },
  ): string[];
}

const paperFields = [
  'link',
  'name',
  'authors',
  'additional_data',
  'venue',
  'architecture',
  'reported',
  'footnote',
] as const;

/**
 * Opens the file of a claim, before anything is measured.
 * @throws BulwarkError USAGE where these attacks will not give a claim, or the file holds something else
 */
export function claimFile(file: string, specs: readonly PluginSpec[]): ClaimFile {
  if (!file.endsWith('.json'))
    throw new BulwarkError('USAGE', `--robustbench ${file} is not the name of a .json file`, {
      hint: 'give for example --robustbench claim.json',
    });
  if (!asksForStandard(specs))
    throw new BulwarkError('USAGE', '--robustbench needs the standard version of AutoAttack among the attacks', {
      hint: 'add --tier full',
    });
  const paper: PaperFacts = {};
  const there = readIfThere(file);
  if (there) {
    let known: Record<string, unknown>;
    try {
      known = JSON.parse(textOf(there)) as Record<string, unknown>;
    } catch (cause) {
      throw new BulwarkError('USAGE', `--robustbench ${file} holds no JSON`, {
        hint: 'name another file, or delete it',
        cause,
      });
    }
    if (known === null || typeof known !== 'object' || !('autoattack_acc' in known || 'authors' in known))
      throw new BulwarkError('USAGE', `--robustbench ${file} holds something else than an entry of RobustBench`, {
        hint: 'name another file: this one would be overwritten',
      });
    // a reported figure that was only that of the last evaluation is measured anew
    const measured = known['reported'] === known['autoattack_acc'];
    for (const field of paperFields)
      if (known[field] !== undefined && !(field === 'reported' && measured))
        Object.assign(paper, { [field]: known[field] });
  }
  return {
    paper,
    write(result, { batchSize, images, ...of }) {
      const entry = robustBenchEntry(result, { ...of, paper });
      writeAtomically(file, `${JSON.stringify(entry, null, 2)}\n`);
      writeAtomically(file.replace(/\.json$/, '.log'), `${autoAttackLog(result, { batchSize, images }).join('\n')}\n`);
      return claimGaps(entry, result);
    },
  };
}
