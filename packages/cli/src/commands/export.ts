import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { fingerprintModel, loadEvaluation } from '@bulwark/core/evaluation';
import { writeAtomically } from '@bulwark/core/files';
import { openRunFolder } from '@bulwark/core/run';
import { exportedFacts, type ImageLayout } from '@bulwark/models';
import { Command, Option } from 'commander';
import { openTarget, type Target, type TargetFlags } from '../evaluate/open-target.js';
import { cardMarkdown } from '../export/card-markdown.js';
import { hubReadme } from '../export/hub.js';
import { cardEvaluation, modelCard, type CardEvaluation } from '../export/model-card.js';
import { exportForms, layouts, writeModel, type ExportForm } from '../export/write-model.js';
import { builtinRegistry } from '../registry.js';
import { createOutput } from '../terminal/output.js';
import { pluginsOption } from '../trust/policy.js';

interface Flags extends TargetFlags {
  readonly to: ExportForm;
  readonly layout: ImageLayout;
  readonly out?: string;
  readonly json?: boolean;
}

/** Evaluations beside the checkpoint that are of exactly these weights. */
async function evaluationsOf(target: Target): Promise<CardEvaluation[]> {
  if (!existsSync(target.folder)) return [];
  const fingerprint = await fingerprintModel(target.model);
  const found: CardEvaluation[] = [];
  for (const file of readdirSync(target.folder)
    .filter((name) => name.endsWith('.json'))
    .sort()) {
    const result = await loadEvaluation(join(target.folder, file));
    if (result?.model.fingerprint === fingerprint) found.push(cardEvaluation(result));
  }
  return found;
}

/** The card says what the model was trained for, which no flag can change. @throws BulwarkError USAGE */
function checkRadius({ config, context }: Target, flags: Flags): void {
  if (flags.epsilon === undefined || Math.abs(config.threat.epsilon - context.threat!.epsilon) < 1e-9) return;
  throw new BulwarkError(
    'USAGE',
    `--epsilon ${flags.epsilon}: these weights were trained for ${context.threat!.norm}, epsilon ${context.threat!.epsilon}`,
    { hint: 'leave it out; `bulwark evaluate --epsilon` measures other radii' },
  );
}

async function run(path: string, flags: Flags): Promise<void> {
  const output = createOutput(flags);
  const target = await openTarget(path, flags, { registry: builtinRegistry(), warn: (text) => output.warn(text) });
  const { model, what } = target;
  checkRadius(target, flags);
  try {
    const isRun = existsSync(join(path, 'config.json'));
    const frozen = isRun ? openRunFolder(path).frozen : undefined;
    const folder = resolve(flags.out ?? join(frozen ? path : join(path, '..'), 'export', flags.to));
    mkdirSync(folder, { recursive: true });
    const context = { ...target.context, fingerprint: await fingerprintModel(model) };
    const files = await writeModel(model, {
      ...{ form: flags.to, folder, context, layout: flags.layout },
      warn: (text) => output.warn(text),
    });
    const card = modelCard(target, {
      facts: exportedFacts(model, context),
      form: flags.to,
      layout: flags.layout,
      evaluations: await evaluationsOf(target),
      files,
      ...frozen,
    });
    writeAtomically(join(folder, 'model-card.json'), `${JSON.stringify(card, null, 2)}\n`);
    const text = flags.to === 'hub' ? { 'README.md': hubReadme(card) } : { 'MODEL_CARD.md': cardMarkdown(card) };
    for (const [name, content] of Object.entries(text)) writeAtomically(join(folder, name), content);
    output.line(`${model.name}, ${what}`);
    output.line(`${folder}: ${[...files, ...Object.keys(text), 'model-card.json'].join(', ')}`);
    if (card.evaluations.length === 0)
      output.warn('these weights have no evaluation, and the card says so: run `bulwark evaluate`, then export again');
    output.result({ folder, files, card });
  } finally {
    model.dispose();
  }
}

const examples = `
Examples:
  bulwark export runs/st-awp --to tfjs
  bulwark export runs/st-awp --to safetensors --checkpoint last --out shared/st-awp
  bulwark export runs/st-awp --to onnx --layout nhwc
  bulwark export runs/st-awp --to hub --out st-awp
  bulwark export model.pt --model resnet18 --data cifar10 --epsilon 8/255 --to tfjs

In a browser, without Bulwark: const model = await tf.loadLayersModel('model.json'); model.predict(images)
In PyTorch: net.load_state_dict(safetensors.torch.load_file('model.safetensors'))`;

/** `bulwark export <run | weights> --to tfjs | safetensors | onnx | hub`. */
export function exportCommand(): Command {
  return new Command('export')
    .description('write a trained model for browsers, PyTorch, ONNX Runtime or a model hub, with a model card')
    .argument('<target>', 'run folder, weights file (.safetensors, .pt), or model.json of TensorFlow.js')
    .addOption(
      new Option(
        '--to <form>',
        'tfjs: a stock Layers model; safetensors: PyTorch names and layout; onnx: one file for ONNX Runtime; hub: a folder that a model hub takes',
      )
        .choices([...exportForms])
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--layout <order>', 'of images that an ONNX model takes').choices([...layouts]).default(layouts[0]),
    )
    .option('--out <folder>', 'where to write (default: export/<form> in the run folder)')
    .option('--checkpoint <kind>', 'best or last checkpoint of a run (default: best if there is one)')
    .option('--config <file>', 'config with model, data and threat of a weights file')
    .option('--from <place>', 'where in a weights file the network is, if several fit: state_dict_ema, ...')
    .option('--model <name>', 'model of a weights file, without a config')
    .option('--data <name>', 'data set of a weights file, without a config')
    .option('--epsilon <radius>', 'radius of the threat model of a weights file, for example 8/255')
    .option('--engine <name>', 'engine instead of that of the run')
    .option(...pluginsOption)
    .option('--json', 'print the result as JSON and nothing else')
    .addHelpText('after', examples)
    .action((path: string, flags: Flags) => run(path, flags));
}
