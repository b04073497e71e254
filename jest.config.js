import { mkdtempSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';

/** What outlasts a run of the tests. */
const cacheDirectory = join(tmpdir(), 'bulwark-jest-cache');
// whatever tests and the programs that they start leave behind is in one folder, which goes when they are done
if (!process.env.TEST_FILES) {
  process.env.TEST_FILES_OF = String(process.pid);
  process.env.TEST_FILES = mkdtempSync(join(tmpdir(), 'bulwark-tests-'));
  for (const name of ['TMPDIR', 'TEMP', 'TMP']) process.env[name] = process.env.TEST_FILES;
}

// plugins that tests train with are not the user's to trust
process.env.BULWARK_CONFIG ??= join(tmpdir(), `bulwark-tests-config-${process.pid}`);
// what `engine: auto` means in tests, on machines with other engines, too
process.env.BULWARK_ENGINE ??= 'wasm';

/**
 * A test that takes a minute hangs, except where it says otherwise. On a machine on which more wants to run than it has cores a minute
 * is longer; tests that start programs read it.
 */
const patience = Math.max(1, loadavg()[0] / availableParallelism());
process.env.TEST_PATIENCE ??= String(patience);

/** Tests run the TypeScript sources directly; workspace imports resolve to sources, too. */
export default {
  testEnvironment: 'node',
  cacheDirectory,
  globalTeardown: '<rootDir>/scripts/remove-test-files.mjs',
  testMatch: [
    '<rootDir>/packages/*/src/**/*.test.ts',
    '<rootDir>/examples/**/*.test.ts',
    '<rootDir>/docs/**/*.test.ts',
  ],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  moduleNameMapper: {
    '^#(tensorflow[\\w-]*)$': '<rootDir>/packages/core/src/tensor/$1.ts',
    '^@bulwark/core/install$': '<rootDir>/packages/core/src/engine/install/index.ts',
    '^@bulwark/core/tfjs-(.+)$': '<rootDir>/packages/core/src/tfjs/$1.ts',
    '^@bulwark/core/(\\w+)$': '<rootDir>/packages/core/src/$1/index.ts',
    '^@bulwark/([\\w-]+)$': '<rootDir>/packages/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  testTimeout: 60_000 * Number(process.env.TEST_PATIENCE),
  reporters: ['default', 'summary', '<rootDir>/scripts/skipped-tests.mjs'],
  maxWorkers: 2,
  // modules in jest's ESM mode are never freed; a worker is renewed before it grows too large
  workerIdleMemoryLimit: '2GB',
};
