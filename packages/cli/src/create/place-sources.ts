import { at, smallCnn, smallData, type Starter } from './starter.js';

const engine: Starter = {
  describe: 'describeEngine',
  options: '{ refused: [{ slow: -1 }] }',
  packages: [],
  config: `engine: { use: __name__, slow: 1000 }\n${smallData}\n${smallCnn}\n${at}`,
  source: `import { defineEngine, number } from '@bulwark/core';
import { coreEngines } from '@bulwark/core/engine';

const wasm = coreEngines.find(({ name }) => name === 'wasm')!;

/** WebAssembly that tells which passes are slow: replace this by what computes for you. */
export const __export__ = defineEngine({
  name: '__name__',
  summary: 'One sentence about what computes.',
  // rank: 5, // \`engine: auto\` may take it, behind wasm
  options: { slow: number({ min: 0 }).default(60_000).describe('a pass is told of after so many milliseconds') },
  // looks whether it can work here, and starts nothing; if not: { available: false, refusals: [{ candidate, reason }] }
  probe: wasm.probe,
  async start({ slow }) {
    // an engine of your own makes a backend of TensorFlow.js current here (tf.setBackend), and says what it is
    const session = await wasm.create(wasm.options.parse({}));
    return {
      ...session,
      description: \`\${session.description}, timed\`,
      // one network's passes; without \`prepare\`, the backend's ops do them one by one
      prepare: ({ eager }) => ({
        dtypes: ['float32'],
        pass(images, request) {
          const began = performance.now();
          // what you compute faster as a whole, compute here, and give the rest to \`eager\`
          const pass = eager.pass(images, request);
          const took = performance.now() - began;
          if (took > slow) console.warn(\`a pass for \${request.wrt} took \${took.toFixed()} ms\`);
          return pass;
        },
        dispose: () => undefined, // of what you keep of weights; \`eager\` is not yours
      }),
    };
  },
});
`,
};

const launcher: Starter = {
  describe: 'describeLauncher',
  options: '{ refused: [{ jobs: 0 }] }',
  packages: [],
  command: 'sweep',
  config: 'launcher: { use: __name__, jobs: 2 }',
  source: `import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { defineLauncher, integer } from '@bulwark/core';

/** Whether the process is at work: no error says so. */
const lives = (handle: string) => {
  try {
    return process.kill(Number(handle), 0);
  } catch {
    return false;
  }
};

/** Shells of this machine: replace the three verbs by commands of your queue. Whether a job succeeded is told by the files it leaves. */
export const __export__ = defineLauncher({
  name: '__name__',
  summary: 'One sentence about where jobs run.',
  options: { jobs: integer({ min: 1 }).default(1).describe('jobs at the same time') },
  create: ({ jobs }) => ({
    description: \`\${jobs} shells of this machine\`,
    capacity: jobs, // Infinity where a queue keeps what waits
    pollSeconds: 0.5,
    settleSeconds: 0, // how long files may take to be seen here
    attached: true, // false where jobs outlive the command that hands them over
    async submit(given, record) {
      for (const job of given) {
        const log = openSync(job.log, 'a');
        const words = ['-c', 'exec "$@"', 'sh', ...job.command];
        const child = spawn('sh', words, { cwd: job.folder, stdio: ['ignore', log, log], detached: true });
        closeSync(log);
        record(job, String(child.pid)); // the handle: whatever finds the job again, from any process
      }
      return { taken: given.length };
    },
    look: async (handles) => handles.map((handle) => ({ state: lives(handle) ? 'running' : 'gone' })),
    cancel: async (handles) => void handles.filter(lives).forEach((handle) => process.kill(Number(handle), 'SIGTERM')),
  }),
});
`,
};

/** Starters of what a run computes on, and where it does. */
export const placeStarters = { engine, launcher } as const;
