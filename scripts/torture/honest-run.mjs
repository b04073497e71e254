import { join } from 'node:path';
import { evaluate, startRun } from '../../packages/core/dist/index.js';
import { saveEvaluation } from '../../packages/core/dist/evaluation/index.js';
import { builtinRegistry } from '../../packages/cli/dist/index.js';

/** Trains and evaluates a tiny network: a run with all that a run may hold, in `honest` within a folder. */
export async function honestRun(folder) {
  const config = {
    ...{ name: 'honest', engine: 'cpu', model: { use: 'mlp', width: 2, depth: 1 }, objective: 'natural', epochs: 1 },
    data: { use: 'fashion-mnist-mini', limit: { train: 32, test: 20 }, validation: 20, batchSize: 16 },
    ...{ threat: { epsilon: 0.1 }, evaluation: { attacks: ['fgsm'] }, guard: { collapse: { epochs: 0 } } },
  };
  const run = await startRun(config, {
    registry: builtinRegistry(),
    baseFolder: folder,
    folder: () => join(folder, 'honest'),
  });
  await run.train();
  const { model, data, threat } = run.parts;
  const attacks = [run.services.make('attack', { use: 'fgsm' })];
  const findings = [{ id: 'id', what: 'what', meaning: 'meaning', hint: 'hint' }];
  const result = await evaluate({ model, data: data.test, attacks, threat });
  await saveEvaluation(join(folder, 'honest/evaluation/best/custom.json'), { ...result, findings });
  run.dispose();
}
