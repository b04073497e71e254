import { Command, Option } from 'commander';
import type { AngleFlags } from '../analyze/angles.js';
import type { CollaborativeFlags } from '../analyze/collaborative.js';
import { addModelFlags, addOutputFlags, type OutputFlags } from '../analyze/flags.js';
import type { LandscapeFlags } from '../analyze/landscape.js';
import type { Figure } from '../analyze/write-figure.js';
import { createOutput, type Output } from '../terminal/output.js';

type Make<Flags> = (paths: string[], flags: Flags, output: Output) => Promise<Figure>;

/** What every analysis does around its numbers. Charts are loaded when they are asked for: other commands need not wait for them. */
const action =
  <Flags extends OutputFlags>(make: Make<Flags>) =>
  async (paths: string[], flags: Flags): Promise<void> => {
    const output = createOutput(flags);
    const { writeFigure } = await import('../analyze/write-figure.js');
    await writeFigure(flags.out!, await make(paths, flags, output), output);
  };

/** An analysis of what run folders hold, without models. */
const ofRecords =
  (name: 'diagnosticsFigure' | 'radiusFigure' | 'tradeOffFigure'): Make<OutputFlags> =>
  async (paths, _flags, output) => {
    const analyses = await import('../analyze/index.js');
    return analyses[name](await analyses.readRuns(paths, (text) => output.warn(text)));
  };

const runsArgument = ['<runs...>', 'run folders, or folders of run folders'] as const;

const collaborative = () =>
  addModelFlags(new Command('collaborative').argument(...runsArgument), 'collaborative', '500')
    .description('cross-entropy of benign and collaborative examples by epsilon, with example images')
    .option('--epsilons <list>', 'radii in linf', '4/255,8/255,16/255,32/255')
    .option('--steps <n>', 'steps down the cross-entropy', '100')
    .option('--step-size <length>', 'length of a step', '1/255')
    .option('--examples <n>', 'example images per run; 0 for none', '2')
    .addHelpText('after', '\nExample:\n  bulwark analyze collaborative runs/natural runs/at runs/st --images 200')
    .action(
      action<CollaborativeFlags>(async (...given) =>
        (await import('../analyze/index.js')).analyseCollaborative(...given),
      ),
    );

const landscape = () =>
  addModelFlags(new Command('landscape').argument(...runsArgument), 'landscape', '20')
    .description('loss surface over a collaborative direction and a random one orthogonal to it')
    .addOption(
      new Option('--side <name>', 'perturbation that the first axis follows')
        .choices(['collaborative', 'adversarial'])
        .default('collaborative'),
    )
    .option('--epsilon <radius>', 'radius instead of that of the runs')
    .option('--steps <n>', 'steps of the search for the perturbation', '20')
    .option('--step-size <length>', 'length of a step (default: an eighth of epsilon)')
    .option('--radius <n>', 'how far the surface reaches, in perturbations', '1.5')
    .option('--resolution <n>', 'positions per axis, odd', '21')
    .addHelpText('after', '\nExample:\n  bulwark analyze landscape runs/natural runs/st --images 10')
    .action(
      action<LandscapeFlags>(async (...given) => (await import('../analyze/index.js')).analyseLandscape(...given)),
    );

const angles = () =>
  addModelFlags(new Command('angles').argument(...runsArgument), 'angles', '200')
    .description('angles between adversarial and collaborative perturbations, step by step')
    .addOption(
      new Option('--pair <name>', "two searches on cross-entropy, up and down, or Squeeze Training's own loop")
        .choices(['cross-entropy', 'squeeze'])
        .default('cross-entropy'),
    )
    .addOption(
      new Option('--pixels <which>', 'interior leaves out pixels that the range [0, 1] holds back')
        .choices(['all', 'interior'])
        .default('all'),
    )
    .option('--epsilon <radius>', 'radius instead of that of the runs')
    .option('--steps <n>', 'steps of the inner loop', '10')
    .option('--step-size <length>', 'length of a step (default: a quarter of epsilon)')
    .addHelpText('after', '\nExample:\n  bulwark analyze angles runs/st --images 100')
    .action(action<AngleFlags>(async (...given) => (await import('../analyze/index.js')).analyseAngles(...given)));

const tradeOff = () =>
  addOutputFlags(new Command('trade-off').argument(...runsArgument), 'trade-off')
    .description('clean against robust accuracy over beta, by objective and discrepancy')
    .addHelpText('after', '\nExample:\n  bulwark analyze trade-off runs/trades-* runs/st-*')
    .action(action(ofRecords('tradeOffFigure')));

const radius = () =>
  addOutputFlags(new Command('radius').argument(...runsArgument), 'radius')
    .description('accuracy over the radius, from evaluations within several (bulwark evaluate --epsilons)')
    .addHelpText('after', '\nExample:\n  bulwark analyze radius runs/at runs/st')
    .action(action(ofRecords('radiusFigure')));

const curves = () =>
  addOutputFlags(new Command('curves').argument(...runsArgument), 'curves')
    .option('--mean', 'one line per config, the mean over its seeds')
    .description('clean and robust accuracy by epoch')
    .addHelpText('after', '\nExample:\n  bulwark analyze curves runs/at runs/trades runs/st --mean')
    .action(
      action<OutputFlags & { readonly mean?: boolean }>(async (paths, { mean }, output) => {
        const { curvesFigure, meanOverSeeds, readRuns } = await import('../analyze/index.js');
        const runs = await readRuns(paths, (text) => output.warn(text));
        return curvesFigure(mean ? meanOverSeeds(runs) : runs);
      }),
    );

const diagnostics = () =>
  addOutputFlags(new Command('diagnostics').argument(...runsArgument), 'diagnostics')
    .description('cross-entropy of the points trained on, and the share of collaborative ones, by epoch')
    .addHelpText('after', '\nExample:\n  bulwark analyze diagnostics runs/trades runs/st')
    .action(action(ofRecords('diagnosticsFigure')));

/** `bulwark analyze <figure> <runs...>`: each with its data (CSV, JSON), an SVG and a PNG. */
export function analyzeCommand(): Command {
  const root = new Command('analyze')
    .description("draw the paper's figures from runs, each with its data")
    .addHelpText(
      'after',
      '\nExamples:\n  bulwark analyze curves runs/at runs/st\n  bulwark analyze collaborative runs/st',
    );
  for (const make of [collaborative, landscape, angles, tradeOff, radius, curves, diagnostics])
    root.addCommand(make().exitOverride());
  return root;
}
