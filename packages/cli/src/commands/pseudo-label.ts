import { extname } from 'node:path';
import {
  logitsOf,
  BulwarkError,
  countOf,
  disposeBatch,
  subset,
  takeExamples,
  type Classifier,
  type ImageSet,
  type PluginRegistry,
} from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { checkRunFolder, composeModel, engineOf, openRunFolder } from '@bulwark/core/run';
import { restoreModel } from '@bulwark/core/trainer';
import { pseudoLabels, readArraySet, selectPseudoLabels, writeNpz, type PseudoLabels } from '@bulwark/datasets';
import { Command } from 'commander';
import { openSource } from '../data/open-source.js';
import { parseSpec } from '../evaluate/attack-specs.js';
import { numberFlag } from '../terminal/number-flag.js';
import { createOutput, type Output } from '../terminal/output.js';
import { pluginsOption, runServices, type PluginFlags } from '../trust/policy.js';

interface Flags extends PluginFlags {
  readonly model: string;
  readonly data: string;
  readonly out: string;
  readonly checkpoint?: string;
  readonly batch: string;
  readonly threshold?: string;
  readonly perClass?: string;
  readonly json?: boolean;
}

/** The classifier of a run at its best or last checkpoint. */
async function openModel(
  path: string,
  context: { checkpoint: string | undefined; services: ReturnType<typeof runServices>; output: Output },
) {
  const { checkpoint, services, output } = context;
  const folder = openRunFolder(path, services);
  const kind = checkpoint ?? (folder.checkpoints.has('best') ? 'best' : 'last');
  if (kind !== 'best' && kind !== 'last')
    throw new BulwarkError('USAGE', `--checkpoint is ${kind}`, { hint: 'give best or last' });
  const { baseFolder } = folder.frozen;
  const { warn } = services;
  const run = await checkRunFolder(folder, services);
  const engine = await engineOf({ ...run.config, reducedPrecision: false }, run.registry);
  const { model, data } = await composeModel(run.config, {
    registry: run.registry,
    baseFolder,
    warn,
    weightsFollow: true,
  });
  restoreModel(folder.checkpoints.load(kind), model);
  output.line(`${model.name} of ${path} (${kind} checkpoint), engine ${engine.name}`);
  return { model, classNames: data.classNames };
}

/** The images to label: an npz, npy or pickle file, else the training set of a data source with its options. */
async function openImages(name: string, context: { registry: PluginRegistry; output: Output }): Promise<ImageSet> {
  const kind = extname(name).toLowerCase();
  // labels of the file do not matter here
  const options = { classes: 10, labelKey: 'none' };
  if (kind === '.npy') return readArraySet({ images: name }, options);
  if (['.npz', '.pickle', '.pkl'].includes(kind)) return readArraySet(name, options);
  const source = await openSource(parseSpec(name), {
    registry: context.registry,
    warn: (text) => context.output.warn(text),
  });
  return source.train;
}

/** Classifies every image in eval mode, in batches, without augmentation. */
async function label(
  model: Classifier,
  set: ImageSet,
  options: { batch: number; progress: (done: number) => void },
): Promise<PseudoLabels> {
  const { batch: batchSize, progress } = options;
  const count = countOf(set);
  const logits = new Float32Array(count * model.classes);
  for (let from = 0; from < count; from += batchSize) {
    const indices = Array.from({ length: Math.min(batchSize, count - from) }, (_, i) => from + i);
    const batch = takeExamples(set, indices);
    const out = logitsOf(model, batch.images);
    logits.set((await out.data()) as Float32Array, from * model.classes);
    out.dispose();
    disposeBatch(batch);
    progress(from + indices.length);
  }
  return pseudoLabels(logits, model.classes);
}

/** `bulwark pseudo-label --model <run> --data <unlabelled> --out <file.npz>`. */
export function pseudoLabelCommand(): Command {
  return new Command('pseudo-label')
    .description('label images with a trained model, for robust self-training')
    .requiredOption('--model <run>', 'run folder of a standard (naturally trained) model')
    .requiredOption(
      '--data <images>',
      'npz, npy or pickle file of unlabelled images (uint8, NHWC), or a data source: mnist, mnist:limit.skip=2560',
    )
    .requiredOption('--out <file>', 'npz file to write: image, label, confidence, index')
    .option('--checkpoint <kind>', 'best or last (default: best if there is one)')
    .option(...pluginsOption)
    .option('--batch <images>', 'images per batch', '250')
    .option('--threshold <probability>', 'keep only images of at least this confidence')
    .option('--per-class <images>', 'keep only the most confident so many of each class')
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark pseudo-label --model runs/natural --data unlabelled.npz --out pseudo.npz\n' +
        '  bulwark pseudo-label --model runs/natural --data big.npz --per-class 50000 --out pseudo.npz\n' +
        '\nUse the file in a config:\n' +
        '  data: { use: rst, labelled: cifar10, unlabelled: { use: npz, train: pseudo.npz } }',
    )
    .action(async (flags: Flags) => {
      const output = createOutput(flags);
      const batch = numberFlag('batch', flags.batch, { min: 1, integer: true });
      const threshold =
        flags.threshold === undefined ? undefined : numberFlag('threshold', flags.threshold, { min: 0, max: 1 });
      const perClass =
        flags.perClass === undefined ? undefined : numberFlag('per-class', flags.perClass, { min: 1, integer: true });
      const services = runServices(flags.model, flags, (text) => output.warn(text));
      const { checkpoint } = flags;
      const { model, classNames } = await openModel(flags.model, { checkpoint, services, output });
      const set = await openImages(flags.data, { registry: services.registry, output });
      if (set.shape.join() !== model.inputShape.join())
        throw new BulwarkError(
          'BATCH_INVALID',
          `${flags.data}: images are [${set.shape}]; the model takes [${model.inputShape}]`,
          {
            hint: 'label images of the shape that the model was trained on',
          },
        );
      let shown = 0;
      const progress = (done: number) => {
        const tenth = Math.floor((10 * done) / countOf(set));
        if (tenth > shown) output.line(`${done} of ${countOf(set)} images`);
        shown = tenth;
      };
      const all = await label(model, set, { batch, progress });
      model.dispose();
      const kept = selectPseudoLabels(all, { threshold, perClass });
      if (kept.length === 0)
        throw new BulwarkError('USAGE', `no image reaches a confidence of ${threshold}`, { hint: 'lower --threshold' });
      const images = subset(set, kept).images;
      const labels = Int32Array.from(kept, (i) => all.labels[i]!);
      const confidence = Float32Array.from(kept, (i) => all.confidence[i]!);
      const arrays = {
        image: { shape: [kept.length, ...set.shape], data: images },
        label: { shape: [kept.length], data: labels },
        confidence: { shape: [kept.length], data: confidence },
        index: { shape: [kept.length], data: kept },
      };
      // beyond 100 MB, compressing takes minutes and saves little on natural images
      writeAtomically(flags.out, writeNpz(arrays, { compress: images.length < 1e8 }));
      const perClassCounts = classNames.map((_, k) => labels.filter((value) => value === k).length);
      const mean = confidence.reduce((sum, value) => sum + value, 0) / kept.length;
      output.line(`${flags.out}: ${kept.length} of ${countOf(set)} images, mean confidence ${mean.toFixed(3)}`);
      output.line(classNames.map((name, k) => `${name} ${perClassCounts[k]}`).join(', '));
      output.result({
        out: flags.out,
        images: countOf(set),
        kept: kept.length,
        meanConfidence: mean,
        perClass: perClassCounts,
      });
    });
}
