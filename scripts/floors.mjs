// The one statement of who may import whom. Lint holds it (eslint.config.js), docs/architecture.md is made of it (scripts/architecture.mjs).

/** The floors of core, from the ground: a room (a folder or file of packages/core/src) imports only from floors below its own. */
export const floors = [
  {
    rooms: ['errors.ts', 'event-loop.ts', 'counted.ts'],
    what: 'errors with a code, a message and a hint; a turn for others; numbers of things in words',
  },
  {
    rooms: ['tensor', 'tfjs'],
    what: 'the functions of TensorFlow.js that core uses, and the whole of it as doors for plugins: nothing else of core knows the package',
  },
  { rooms: ['collective'], what: 'several processes that train together, as one contract' },
  { rooms: ['files'], what: 'reading within a budget, writing whole files, locks' },
  {
    rooms: ['random.ts', 'image-set.ts', 'batch.ts', 'formats', 'ops'],
    what: 'random streams, images, file formats, and the ops that engines have kernels for',
  },
  { rooms: ['loss', 'threat'], what: 'losses, discrepancies; norms, radii, the pixel range' },
  { rooms: ['network'], what: 'networks as graphs, one file per layer op, the eager executor' },
  { rooms: ['engine'], what: 'what computes: engines as plugins, choosing, checking, installing them' },
  { rooms: ['classifier'], what: 'passes of networks and of Layers models, as values' },
  { rooms: ['hooks'], what: 'the four hooks, and the contracts of all other plugin kinds' },
  { rooms: ['evaluation'], what: 'the one judge, results, fingerprints' },
  { rooms: ['plugins', 'trainer'], what: 'definitions, options, the registry; the training step and loop' },
  { rooms: ['attacks'], what: 'attacks, AutoAttack, trust probes' },
  { rooms: ['analysis'], what: 'loss landscapes, angles, pairs' },
  { rooms: ['run'], what: 'configs, composition, run folders, checkpoints' },
];

/** Packages beside core, with the packages of ours that they may import besides core. */
export const packages = {
  objectives: [],
  models: [],
  datasets: [],
  'engine-tensorflow': [],
  'engine-torch': [],
  'engine-webgpu': [],
  'collective-mpi': [],
  inference: ['models', 'datasets'],
  cli: [
    'objectives',
    'models',
    'datasets',
    'engine-tensorflow',
    'engine-torch',
    'engine-webgpu',
    'collective-mpi',
    'inference',
  ],
};
