import { engine as tensors, setBackend } from '@tensorflow/tfjs-core';
import { type EngineSession, unavailable } from '@bulwark/core/engine';
import { whyNoBfloat16 } from './bfloat16.js';
import type { NodeBackend } from './binding.js';
import { loadTensorflow } from './load.js';
import { tensorflowExecutor } from './passes/index.js';

export interface TensorflowOptions {
  readonly device: 'auto' | 'cpu' | 'gpu';
  readonly threads: number | 'auto';
}

const hint = 'run `bulwark engine install tensorflow`, or use engine: auto';

/** Loads the library, which a process does once, and makes it current. */
export async function startTensorflow({ device, threads }: TensorflowOptions): Promise<EngineSession> {
  const wanted = threads === 'auto' ? undefined : threads;
  const load = await loadTensorflow({ threads: wanted, gpus: device !== 'cpu' });
  if (!load.available) throw unavailable('tensorflow', load.refusals, hint);
  const { engine } = load;
  const refuse = (reason: string, how: string) => unavailable('tensorflow', [{ candidate: 'tensorflow', reason }], how);
  if (device === 'gpu' && !engine.gpu)
    throw refuse(
      `${engine.origin} uses no GPU`,
      'run `bulwark engine install tensorflow --gpu` and see that the driver works (nvidia-smi), or leave out `device`',
    );
  if (device === 'cpu' && engine.gpu)
    throw refuse('this process has loaded it with a GPU already', 'start another process, or leave out `device`');
  await setBackend('tensorflow');
  const obstacle = whyNoBfloat16();
  return {
    backend: 'tensorflow',
    description: `TensorFlow ${engine.version}, ${engine.origin}`,
    device: engine.gpu ? 'GPU' : 'CPU',
    dtypes: obstacle ? ['float32'] : ['float32', 'bfloat16'],
    withoutDtypes: obstacle,
    threads: engine.threads,
    hostMemory: !engine.gpu,
    // on GPUs the binding's sessions take their tensors through the processor's memory
    ...(!engine.gpu &&
      !process.env['BULWARK_EAGER'] && {
        prepare: (request) =>
          tensorflowExecutor(request, {
            backend: tensors().backend as unknown as NodeBackend,
            fusedBatchNorm: engine.fusedBatchNorm,
            own: engine.own,
          }),
      }),
    remarks: [
      ...engine.remarks,
      ...(wanted === undefined || wanted === engine.threads
        ? []
        : [`computes on ${engine.threads} threads: this process has loaded the library so`]),
    ],
  };
}
