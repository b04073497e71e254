import { getKernelsForBackend, registerBackend, unregisterKernel } from '@tensorflow/tfjs-core';
import { registerPassCompiler } from '../passes.js';
import { registerTensorflowKernels } from './kernels.js';
import { installedPackages } from './install/cache.js';
import { withMemoryErrors } from './memory-errors.js';
import { wrongBatchNorm, wrongProducts } from './numerics.js';
import { loadBinding, loadKernels, packageVersion, projectPackage } from './package.js';
import type { NodePackage } from './package.js';
import { tensorflowPassCompiler } from './passes/index.js';

/** Where a usable native engine came from, and what it is. */
export interface TensorflowEngine {
  readonly backendName: 'tensorflow';
  /** Version of the native TensorFlow library. */
  readonly version: string;
  /** True when TensorFlow put its work on a GPU. */
  readonly gpu: boolean;
  /** Package and folder that it was loaded from. */
  readonly origin: string;
  /** What works less well than it should, for `bulwark doctor`. */
  readonly remarks: readonly string[];
}

/** Why one candidate is not used. */
export interface Refusal {
  readonly candidate: string;
  readonly reason: string;
}

/** Either the engine, registered with TensorFlow.js, or the reason for each candidate. */
export type TensorflowLoad =
  | { readonly available: true; readonly engine: TensorflowEngine; readonly refusals: readonly Refusal[] }
  | { readonly available: false; readonly refusals: readonly Refusal[] };

let current: Extract<TensorflowLoad, { available: true }> | undefined;

/** TensorFlow reads its environment when its library is loaded, so this comes first. */
function prepareEnvironment(): void {
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '3';
  // by itself TensorFlow uses oneDNN only from AVX-512 VNNI on, but its convolutions are the faster ones on AVX2, too
  if (process.arch === 'x64') process.env.TF_ENABLE_ONEDNN_OPTS ??= '1';
  if (process.env.BULWARK_THREADS) {
    process.env.TF_NUM_INTRAOP_THREADS ??= process.env.BULWARK_THREADS;
    process.env.TF_NUM_INTEROP_THREADS ??= process.env.BULWARK_THREADS;
  }
}

function candidates(): { found: (NodePackage & { label: string })[]; refusals: Refusal[] } {
  const found: (NodePackage & { label: string })[] = [];
  const refusals: Refusal[] = [];
  for (const name of ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const) {
    const candidate = projectPackage(name);
    if (candidate) found.push({ ...candidate, label: name });
    else
      refusals.push({
        candidate: name,
        reason: 'not installed in this project (npm drops it when its install script fails)',
      });
  }
  const cached = installedPackages();
  found.push(...cached.found.map((candidate) => ({ ...candidate, label: 'engine cache' })));
  refusals.push(...cached.reasons.map((reason) => ({ candidate: 'engine cache', reason })));
  return { found, refusals };
}

function start(candidate: NodePackage): TensorflowEngine {
  const binding = loadBinding(candidate.folder);
  const wrong = wrongProducts(binding);
  if (wrong) throw new Error(`it loads but computes wrong numbers: ${wrong}`);
  const wrongFused = wrongBatchNorm(binding);
  const makeBackend = loadKernels(candidate, withMemoryErrors(binding));
  registerTensorflowKernels({ fusedBatchNorm: !wrongFused });
  registerBackend('tensorflow', makeBackend);
  registerPassCompiler('tensorflow', tensorflowPassCompiler({ fusedBatchNorm: !wrongFused }));
  return {
    backendName: 'tensorflow',
    version: binding.TF_Version,
    gpu: binding.isUsingGpuDevice(),
    origin: `${candidate.name}@${packageVersion(candidate.folder)} in ${candidate.folder}`,
    remarks: wrongFused ? [`fused BatchNorm is not used: ${wrongFused}`] : [],
  };
}

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/**
 * Makes the native engine available as TensorFlow.js backend `tensorflow`, without making it current: the project's
 * tfjs-node-gpu, then its tfjs-node, then what `bulwark engine install tensorflow` built. Each must compute a few
 * exact products rightly. Never throws for a missing or broken candidate: the reasons are in the result.
 */
export async function loadTensorflow(): Promise<TensorflowLoad> {
  if (current) return current;
  prepareEnvironment();
  const { found, refusals } = candidates();
  for (const candidate of found) {
    try {
      current = { available: true, engine: start(candidate), refusals };
      return current;
    } catch (error) {
      getKernelsForBackend('tensorflow').forEach(({ kernelName }) => unregisterKernel(kernelName, 'tensorflow'));
      refusals.push({ candidate: candidate.label, reason: `${firstLine(error)} (${candidate.folder})` });
    }
  }
  return { available: false, refusals };
}
