import { Script } from 'node:vm';
import { starters, type StarterKind } from './sources.js';
import { at, smallCnn, smallData, type Starter } from './starter.js';

/** `margin-loss` as `marginLoss`. */
const camelCase = (name: string) => name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

const isReserved = (word: string) => {
  try {
    new Script(`'use strict'; const ${word} = 0; async () => ${word};`);
    return false;
  } catch {
    return true;
  }
};

/** The name of the export: `marginLoss`, or `numberSchedule` where the files or JavaScript have a `number` of their own. */
function exportName(name: string, kind: StarterKind, text: string): string {
  const free = (word: string) => !isReserved(word) && !new RegExp(`\\b${word}\\b`).test(text);
  return [name, `${name}-${kind}`, `${name}-${kind}-plugin`].map(camelCase).find(free)!;
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const test = (kind: StarterKind) => `import { describe, it } from 'node:test';
import { __suite__ } from '@bulwark/core/testing';
import { __export__ } from './index.js';

// what every plugin of this kind promises; add tests of your formula beside it
__suite__(__export__, { ...${starters[kind].options}, framework: { describe, it } });
`;

const readme = `# bulwark-plugin-__name__

A plugin of kind \`__kind__\` for [Bulwark](https://www.npmjs.com/package/@bulwark/cli): what it does, in which paper, with what result.

\`\`\`sh
npm install
npm test                                # the conformance kit
npx bulwark __command__ example.yaml          # a short training on bundled images
\`\`\`

In a config:

\`\`\`yaml
plugins: [bulwark-plugin-__name__]
__section__
\`\`\`

The options are those of the schema in \`src/index.ts\`.
`;

/** The section of the example config that names the plugin. */
const sectionOf = (config: string) => config.split('\n').find((line) => line.includes('__name__'))!;

const evaluation = 'evaluation: { attacks: [{ use: pgd, steps: 5, stepSize: 0.03 }], examples: 100 }';

/** A config that is over soon, from the sections that are special about it. */
const runConfig = (head: string, sections: string) => `${head}
seed: 1
threat: { norm: linf, epsilon: 0.1 }
${sections}
${sections.includes('evaluation:') ? '' : `${evaluation}\n`}epochs: 2
`;

/** The example that uses the plugin, by path. */
function exampleFiles({ command = 'train', config }: Starter): [string, string][] {
  const plugins = 'plugins: [./src/index.ts]';
  const top = `# bulwark ${command} example.yaml\nname: __name__-example`;
  if (command === 'train') return [['example.yaml', runConfig(`${top}\n${plugins}`, config)]];
  const over = 'config: run.yaml\nsearch: { use: grid, over: { objective.inner.steps: [1, 3] } }';
  return [
    ['example.yaml', `${top}\n${plugins}\n${over}\n${config}\n`],
    ['run.yaml', runConfig('# the run that example.yaml varies\nname: run', [smallData, smallCnn, at].join('\n'))],
  ];
}

/** The files of a new plugin package, by path. `version` is that of Bulwark, `engines` what it runs on. */
export function packageFiles(
  name: string,
  kind: StarterKind,
  versions: { readonly bulwark: string; readonly node: string },
): Map<string, string> {
  const starter: Starter = starters[kind];
  const { source, describe: suite, config, packages, command = 'train' } = starter;
  const exported = exportName(name, kind, `${source}\n${suite}\n${test(kind)}`);
  const fill = (text: string) =>
    text
      .replaceAll('__section__', sectionOf(config))
      .replaceAll('__suite__', suite)
      .replaceAll('__kind__', kind)
      .replaceAll('__command__', command)
      .replaceAll('__name__', name)
      .replaceAll('__export__', exported);
  const bulwark = `^${versions.bulwark}`;
  // peers: one copy of core, and so of tensors, in an installation
  const peers = ['@bulwark/core', ...packages.map((part) => `@bulwark/${part}`)];
  const manifest = {
    name: `bulwark-plugin-${name}`,
    version: '0.1.0',
    description: 'One sentence about the method.',
    keywords: ['bulwark-plugin', 'adversarial-training'],
    license: 'Apache-2.0',
    type: 'module',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    files: ['dist', '!dist/*.test.*'],
    engines: { node: versions.node },
    scripts: { build: 'tsc', test: 'tsc && node --test dist/', train: `bulwark ${command} example.yaml` },
    peerDependencies: Object.fromEntries(peers.map((peer) => [peer, bulwark])),
    devDependencies: { '@bulwark/cli': bulwark, '@types/node': '^20.19.0', typescript: '^5.9.0' },
  };
  const compiler = {
    compilerOptions: {
      target: 'ES2022',
      module: 'NodeNext',
      strict: true,
      declaration: true,
      skipLibCheck: true,
      rootDir: 'src',
      outDir: 'dist',
      types: ['node'],
    },
    include: ['src'],
  };
  const files: [string, string][] = [
    ['package.json', json(manifest)],
    ['tsconfig.json', json(compiler)],
    ['src/index.ts', source],
    ['src/index.test.ts', test(kind)],
    ...exampleFiles(starter),
    ['README.md', readme],
    ['.gitignore', 'node_modules/\ndist/\nruns/\n'],
  ];
  return new Map(files.map(([path, text]) => [path, fill(text)]));
}
