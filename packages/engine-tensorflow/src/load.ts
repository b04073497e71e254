import { availableParallelism } from 'node:os';
import { getKernelsForBackend, registerBackend, unregisterKernel } from '@tensorflow/tfjs-core';
import type { Refusal } from '@bulwark/core/engine';
import { candidates } from './candidates.js';
import { registerTensorflowKernels } from './kernels.js';
import { withMemoryErrors } from './memory-errors.js';
import { wrongBatchNorm, wrongProducts } from './numerics.js';
import { loadOwnConvolution, type OwnConvolution, type OwnOrLack } from './own-convolution.js';
import { loadBinding, loadKernels, packageVersion } from './package.js';
import type { NodePackage } from './package.js';

/** Where a usable native engine came from, and what it is. */
export interface TensorflowEngine {
  readonly backendName: 'tensorflow';
  /** Version of the native TensorFlow library. */
  readonly version: string;
  /** True when TensorFlow put its work on a GPU. */
  readonly gpu: boolean;
  /** False: the library computes its fused BatchNorm wrongly, so it is not used. */
  readonly fusedBatchNorm: boolean;
  /** Where the library has our own convolution. */
  readonly own: OwnConvolution | undefined;
  /** Package and folder that it was loaded from. */
  readonly origin: string;
  /** Threads that it was told to use, or one per core. */
  readonly threads: number;
  /** What works less well than it should, for `bulwark doctor`. */
  readonly remarks: readonly string[];
}

/** Either the engine, registered with TensorFlow.js, or the reason for each candidate. */
export type TensorflowLoad =
  | { readonly available: true; readonly engine: TensorflowEngine; readonly refusals: readonly Refusal[] }
  | { readonly available: false; readonly refusals: readonly Refusal[] };

/** How the library is loaded, which happens once in a process. */
export interface LoadOptions {
  /** Default: `BULWARK_THREADS`, else what TensorFlow takes, one per core. */
  readonly threads?: number;
  /** False hides the GPUs. Default true. */
  readonly gpus?: boolean;
}

let current: Extract<TensorflowLoad, { available: true }> | undefined;

/**
 * TensorFlow reads its environment when its library is loaded, so this comes first.
 * @returns how many threads it will use
 */
function prepareEnvironment(threads: number | undefined): number {
  const { env } = process;
  env['TF_CPP_MIN_LOG_LEVEL'] ??= '3';
  // by itself TensorFlow uses oneDNN only from AVX-512 VNNI on, but its convolutions are the faster ones on AVX2, too
  if (process.arch === 'x64') env['TF_ENABLE_ONEDNN_OPTS'] ??= '1';
  for (const name of ['TF_NUM_INTRAOP_THREADS', 'TF_NUM_INTEROP_THREADS'])
    if (threads !== undefined) env[name] = String(threads);
    else if (env['BULWARK_THREADS']) env[name] ??= env['BULWARK_THREADS'];
  return Number(env['TF_NUM_INTRAOP_THREADS']) || availableParallelism();
}

/** Runs `work` while CUDA is told of no device, if so wanted. */
function withoutGpus<T>(hide: boolean, work: () => T): T {
  if (!hide) return work();
  const saved = process.env['CUDA_VISIBLE_DEVICES'];
  process.env['CUDA_VISIBLE_DEVICES'] = '-1';
  try {
    return work();
  } finally {
    if (saved === undefined) delete process.env['CUDA_VISIBLE_DEVICES'];
    else process.env['CUDA_VISIBLE_DEVICES'] = saved;
  }
}

function start(candidate: NodePackage, threads: number): TensorflowEngine {
  const binding = loadBinding(candidate.folder);
  const wrong = wrongProducts(binding);
  if (wrong) throw new Error(`it loads but computes wrong numbers: ${wrong}`);
  const wrongFused = wrongBatchNorm(binding);
  const gpu = binding.isUsingGpuDevice();
  const { own, lack }: OwnOrLack = gpu ? {} : loadOwnConvolution(candidate.folder, binding, threads);
  const makeBackend = loadKernels(candidate, withMemoryErrors(binding));
  registerTensorflowKernels({ fusedBatchNorm: !wrongFused, own });
  registerBackend('tensorflow', makeBackend);
  return {
    backendName: 'tensorflow',
    version: binding.TF_Version,
    gpu,
    threads,
    origin: `${candidate.name}@${packageVersion(candidate.folder)} in ${candidate.folder}`,
    fusedBatchNorm: !wrongFused,
    own,
    remarks: [
      ...(wrongFused ? [`fused BatchNorm is not used: ${wrongFused}`] : []),
      ...(lack === undefined ? [] : [`3x3 convolutions are the library's, which take longer: ${lack}`]),
    ],
  };
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/**
 * Makes the native engine available as TensorFlow.js backend `tensorflow`, without making it current: the project's
 * tfjs-node-gpu, then its tfjs-node, then what `bulwark engine install tensorflow` built. Each must compute a few
 * exact products rightly. Later calls in the same process give what the first one loaded. Never throws for a missing or broken candidate: the reasons are in the result.
 */
export async function loadTensorflow({ threads, gpus = true }: LoadOptions = {}): Promise<TensorflowLoad> {
  if (current) return current;
  const used = prepareEnvironment(threads);
  const { found, refusals } = candidates();
  for (const candidate of found) {
    try {
      current = { available: true, engine: withoutGpus(!gpus, () => start(candidate, used)), refusals };
      return current;
    } catch (error) {
      getKernelsForBackend('tensorflow').forEach(({ kernelName }) => unregisterKernel(kernelName, 'tensorflow'));
      refusals.push({ candidate: candidate.label, reason: `${firstLine(error)} (${candidate.folder})` });
    }
  }
  return { available: false, refusals };
}
