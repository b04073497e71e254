import { existsSync } from 'node:fs';
import { BulwarkError } from '@bulwark/core';
import { writeAtomically } from '@bulwark/core/files';
import { Command } from 'commander';

/** A config that trains at once on the bundled images, with every section explained. */
export const starterConfig = `# A run of Bulwark. Train it:  bulwark train FILE
# Numbers may be fractions (8/255). Any value can be overridden:  --set objective.beta=8
name: my-first-run
seed: 1
# engine: auto takes the best that works on this machine (bulwark doctor shows all)
engine: auto

# Images come as [0, 1]; normalisation belongs inside the model.
data: { use: fashion-mnist-mini, batchSize: 128 }
model: { use: small-cnn }

# The adversary may move each pixel by at most epsilon.
threat: { norm: linf, epsilon: 0.1 }

# Squeeze Training. Others: natural, at, trades, mart, ... (bulwark plugins)
objective: { use: st, beta: 6, discrepancy: symmetric-kl, inner: { steps: 10, stepSize: 0.025 } }

# Perturb the weights, too (any objective):
# weightPerturber: { use: awp, gamma: 0.005 }

optimizer:
  use: sgd
  learningRate: 0.1
  momentum: 0.9
  weightDecay: 5e-4
  schedule: { use: step, milestones: [7, 9], factor: 0.1 }
epochs: 10

# After every epoch, on images held out from training; the best checkpoint is chosen by the last attack.
evaluation: { every: 1, attacks: [{ use: pgd, steps: 10, stepSize: 0.025 }], examples: 250 }
`;

/** `bulwark init [file]`. */
export function initCommand(): Command {
  return new Command('init')
    .description('write a commented starter config')
    .argument('[file]', 'file to write', 'bulwark.yaml')
    .addHelpText('after', '\nExamples:\n  bulwark init\n  bulwark init experiments/st.yaml')
    .action((file: string) => {
      if (existsSync(file)) throw new BulwarkError('USAGE', `${file} exists already`, { hint: 'name another file' });
      writeAtomically(file, starterConfig.replace('FILE', file));
      process.stdout.write(`wrote ${file}; train it with: bulwark train ${file}\n`);
    });
}
