const config = `# npm run train
name: first
seed: 1
engine: auto # the best that works here: npx bulwark doctor
plugins: [./src/logit-pairing.ts]

# images are in [0, 1]; these come with Bulwark (others: npx bulwark data list)
data: { use: fashion-mnist-mini, batchSize: 128 }
model: { use: small-cnn }
threat: { norm: linf, epsilon: 0.1 } # fractions such as 8/255 work, too

# the objective of this project; try st, trades, at, mart (npx bulwark plugins)
objective: { use: logit-pairing, beta: 0.5, inner: { steps: 5, stepSize: 0.04 } }
optimizer: { use: sgd, learningRate: 0.1, schedule: { use: cosine } }
epochs: 6
evaluation: { attacks: [{ use: pgd, steps: 10, stepSize: 0.025 }], examples: 250 }
`;

const objective = `import { crossEntropy, defineObjective, meanSquared, weight, weighted } from '@bulwark/core';
import { innerSection, pgd } from '@bulwark/objectives';

/** \`CE(z(x'), y) + beta mean (z(x) - z(x'))^2\`: replace it by the loss of your method. */
export const logitPairing = defineObjective({
  name: 'logit-pairing',
  summary: 'Adversarial logit pairing: squared distance of natural and adversarial logits.',
  cite: 'Kannan et al., 2018; arXiv:1803.06373',
  options: { beta: weight(0.5, 'the pairing'), inner: innerSection({ start: 'uniform', mode: 'eval' }) },
  create: ({ beta, inner }) => ({
    // which neighbours of x it trains on
    points: pgd(inner),
    // the loss, one value per example; z are logits by point, y what they are compared with
    loss: {
      classification: ({ z, y }) => crossEntropy(z.adversarial, y),
      pairing: weighted(beta, ({ z }) => meanSquared(z.natural, z.adversarial)),
    },
  }),
});
`;

const test = `import { describe, it } from 'node:test';
import { describeObjective } from '@bulwark/core/testing';
import { logitPairing } from './logit-pairing.ts';

// what every objective promises: gradients, the ball, no leaks, options that are checked
describeObjective(logitPairing, {
  options: { inner: { steps: 2 } },
  refused: [{ beta: -1 }],
  framework: { describe, it },
});
`;

const readme = `# __name__

Adversarial training with [Bulwark](https://www.npmjs.com/package/@bulwark/cli).

\`\`\`sh
npm install
npm test                 # the objective in src/ keeps its promises
npm run train            # bulwark.yaml, into runs/first
npm run evaluate         # runs/first under attack
\`\`\`

- \`bulwark.yaml\` is the experiment; \`npx bulwark train bulwark.yaml --set objective.beta=1 --out runs/beta-1\` another one.
- \`src/logit-pairing.ts\` is an objective of this project: change it, or name a built-in one in the config.
- \`npx bulwark evaluate runs/first --tier full\` is AutoAttack; \`npx bulwark export runs/first --to onnx\` ships the model.
- \`npx bulwark doctor\` says which engines this machine has, and how to get a faster one.
`;

/** The files of a new project, by path. `version` is that of Bulwark. */
export function projectFiles({ name, version }: { name: string; version: string }): Map<string, string> {
  const bulwark = `^${version}`;
  const manifest = {
    name,
    private: true,
    type: 'module',
    scripts: {
      test: 'jiti src/logit-pairing.test.ts',
      train: 'bulwark train bulwark.yaml',
      evaluate: 'bulwark evaluate runs/first',
    },
    dependencies: {
      '@bulwark/cli': bulwark,
      '@bulwark/core': bulwark,
      '@bulwark/objectives': bulwark,
    },
    devDependencies: { jiti: '^2.7.0' },
  };
  return new Map([
    ['package.json', `${JSON.stringify(manifest, null, 2)}\n`],
    ['bulwark.yaml', config],
    ['src/logit-pairing.ts', objective],
    ['src/logit-pairing.test.ts', test],
    ['README.md', readme.replaceAll('__name__', name)],
    ['.gitignore', 'node_modules/\nruns/\n'],
  ]);
}
