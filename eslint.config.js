import tseslint from 'typescript-eslint';
import importX from 'eslint-plugin-import-x';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import { floors, packages } from './scripts/floors.mjs';

const room = (name) => `./packages/core/src/${name}`;
const floorZones = floors.flatMap(({ rooms }, level) =>
  rooms.flatMap((target) =>
    floors
      .slice(level + 1)
      .flatMap(({ rooms: above }) => above)
      .map((from) => ({
        target: room(target),
        from: room(from),
        message: 'a room imports only from floors below it (scripts/floors.mjs)',
      })),
  ),
);
const folder = (name) => `./packages/${name}`;
const packageZones = Object.entries({ core: [], ...packages }).flatMap(([target, allowed]) =>
  Object.keys(packages)
    .filter((from) => from !== target && !allowed.includes(from))
    .map((from) => ({
      target: folder(target),
      from: folder(from),
      message: 'packages import core and what scripts/floors.mjs names; core imports none',
    })),
);
/** The trainer knows the hook contracts, but no attack, no evaluation, no concrete plugin. */
const trainerZones = ['attacks', 'analysis', 'evaluation', 'plugins'].map((from) => ({
  target: room('trainer'),
  from: room(from),
  message: 'the trainer knows hook contracts only',
}));

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/assembly/**',
      '**/node_modules/**',
      'docs/site/**',
      'docs/.blocks/**',
      'examples/*/site/**',
      '**/fixtures/**',
      'runs/**',
    ],
  },
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.js', '**/*.mjs'],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver({ project: 'packages/*/tsconfig.json' })] },
    rules: {
      'import-x/no-default-export': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones: [...floorZones, ...packageZones, ...trainerZones] }],
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['@bulwark/*/src/*', '@bulwark/*/dist/*'],
              message: 'import from the package, not from its inside',
            },
          ],
        },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'inject a Random' },
        { object: 'tf', property: 'losses', message: 'losses are ours, from logSoftmax' },
        { object: 'tf', property: 'randomNormal', message: 'inject a Random' },
        { object: 'tf', property: 'randomUniform', message: 'inject a Random' },
        { object: 'tf', property: 'sign', message: 'tf.sign is 0 below 1.19e-7 on wasm: use signOf' },
      ],
      'max-params': ['error', 4],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // one writer for what a command leaves: the old file or the whole new one, whatever happens
    files: ['packages/*/src/**/*.ts'],
    ignores: [
      '**/*.test.ts',
      '**/testing/**',
      '**/*testing.ts',
      'packages/core/src/files/write.ts',
      'packages/core/src/engine/notes.ts', // a cache, which may fail in silence
      'packages/cli/src/bench/memory.ts', // a switch of the kernel's, no file
      'packages/create-bulwark/**', // has no dependencies
      'packages/datasets/src/fetch/fetch.ts', // in a folder that is renamed when it is whole
      'packages/engine-tensorflow/src/passes/saved-model.ts', // read at once, and removed
    ],
    rules: {
      'no-restricted-syntax': [
        'error',
        { selector: "ImportSpecifier[imported.name='writeFileSync']", message: 'write with writeAtomically' },
      ],
    },
  },
  {
    files: ['packages/core/src/**/*.ts'],
    ignores: ['**/*.test.ts', 'packages/core/src/{tensor,tfjs}/**', 'packages/core/src/ops/gradients.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers'].map((name) => ({
            name,
            message: 'core meets TensorFlow.js in src/tensor',
          })),
        },
      ],
    },
  },
  { files: ['*.js', '**/*.config.js'], rules: { 'import-x/no-default-export': 'off' } },
  { files: ['**/*.test.ts'], rules: { 'no-restricted-properties': 'off' } },
  // tests of a low floor need an engine that computes
  {
    files: ['packages/core/src/**/*.test.ts'],
    rules: { 'import-x/no-restricted-paths': ['error', { zones: packageZones }] },
  },
  // engines are tested with the networks of models, inference with runs
  {
    files: ['packages/{engine-*,inference}/{src/**/*.test.ts,test/**}'],
    rules: { 'import-x/no-restricted-paths': 'off' },
  },
);
