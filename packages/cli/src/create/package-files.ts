import { starters, type StarterKind } from './sources.js';

/** `margin-loss` as `marginLoss`. */
const camelCase = (name: string) => name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

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
npx bulwark train example.yaml          # a short training on bundled images
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

/** The files of a new plugin package, by path. `version` is that of Bulwark, `engines` what it runs on. */
export function packageFiles(
  name: string,
  kind: StarterKind,
  versions: { readonly bulwark: string; readonly node: string },
): Map<string, string> {
  const { source, describe: suite, config, packages } = starters[kind];
  const fill = (text: string) =>
    text
      .replaceAll('__section__', sectionOf(config))
      .replaceAll('__suite__', suite)
      .replaceAll('__kind__', kind)
      .replaceAll('__name__', name)
      .replaceAll('__export__', camelCase(name));
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
    scripts: { build: 'tsc', test: 'tsc && node --test dist/', train: 'bulwark train example.yaml' },
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
  const example = `# bulwark train example.yaml
name: ${name}-example
seed: 1
plugins: [./src/index.ts]
threat: { norm: linf, epsilon: 0.1 }
${config}
${config.includes('evaluation:') ? '' : 'evaluation: { attacks: [{ use: pgd, steps: 5, stepSize: 0.03 }], examples: 100 }\n'}epochs: 2
`;
  const files: [string, string][] = [
    ['package.json', json(manifest)],
    ['tsconfig.json', json(compiler)],
    ['src/index.ts', source],
    ['src/index.test.ts', test(kind)],
    ['example.yaml', example],
    ['README.md', readme],
    ['.gitignore', 'node_modules/\ndist/\nruns/\n'],
  ];
  return new Map(files.map(([path, text]) => [path, fill(text)]));
}
