import * as tf from '@tensorflow/tfjs-core';
import { planPass, type ComputeDtype, type NetworkGraph, type PassRequest } from '@bulwark/core/network';
import { whyNoBfloat16 } from '../bfloat16.js';
import type { NodeBackend } from '../binding.js';
import type { OwnConvolution } from '../own-convolution.js';
import { compilePass } from './compile.js';
import { mostBatches, type CompiledPass } from './compiled-pass.js';
import { matchesFloat32 } from './matches-float32.js';

/** The compiled passes of one network, each made when it is first wanted. */
export interface CompiledPasses {
  /** Undefined where there is none: then the pass is computed op by op. */
  of(mode: PassRequest['mode'], dtype: ComputeDtype): CompiledPass | undefined;
  /** Why one is missing that should be there, if it is. */
  failure(): string | undefined;
  /** Frees what passes keep of weights. */
  release(except?: CompiledPass): void;
  dispose(): void;
}

/** A pass that compiles may still fail when it runs, where a library lacks a kernel: so it is run once, on blank images. */
function smokeTest(pass: CompiledPass, { inputShape }: NetworkGraph, value: (name: string) => tf.Tensor): void {
  tf.tidy(() => {
    const blank = Array.from({ length: mostBatches }, () => tf.zeros([2, ...inputShape]) as tf.Tensor4D);
    const { logits, residuals } = pass.forward(blank, value, { keep: true });
    const zeros = logits.map((each) => tf.zerosLike(each));
    pass.inputGradients(zeros, residuals);
    pass.parameterGradients?.(zeros, residuals, { images: true });
  });
}

/**
 * Compiles passes to TensorFlow graphs. In bfloat16 where the processor has instructions for it, if the result is about that of
 * float32.
 */
export function compiledPasses(options: {
  graph: NetworkGraph;
  value: (name: string) => tf.Tensor;
  backend: NodeBackend;
  /** False: the library's fused op is wrong, so no pass that needs it is compiled. */
  fusedBatchNorm: boolean;
  own: OwnConvolution | undefined;
}): CompiledPasses {
  const { graph, value, backend, fusedBatchNorm, own } = options;
  const made = new Map<string, CompiledPass | undefined>();
  const failures: string[] = [];

  const compile = (mode: PassRequest['mode'], dtype: ComputeDtype): CompiledPass | undefined => {
    const steps = planPass(graph, { fold: mode === 'eval' });
    if (!fusedBatchNorm && steps.some(({ node }) => node.op === 'batch-norm')) return undefined;
    let pass: CompiledPass | undefined;
    try {
      pass = compilePass(backend, { graph, steps, mode, dtype, own });
      smokeTest(pass, graph, value);
      return pass;
    } catch (error) {
      pass?.dispose();
      failures.push(`TensorFlow has no graph of it (${mode}, ${dtype}): ${(error as Error).message.split('\n')[0]!}`);
      return undefined;
    }
  };
  const reduced = (mode: PassRequest['mode']): CompiledPass | undefined => {
    if (!graph.nodes.some(({ op }) => op === 'conv') || whyNoBfloat16()) return undefined;
    const exact = passes.of(mode, 'float32');
    const pass = exact && compile(mode, 'bfloat16');
    if (!pass || matchesFloat32(pass, exact, { inputShape: graph.inputShape, value })) return pass;
    pass.dispose();
    return undefined;
  };

  const passes: CompiledPasses = {
    of(mode, dtype) {
      const key = `${mode} ${dtype}`;
      if (!made.has(key)) made.set(key, dtype === 'bfloat16' ? reduced(mode) : compile(mode, dtype));
      return made.get(key);
    },
    failure: () => failures[0],
    release: (except) => made.forEach((pass) => pass !== except && pass?.release()),
    dispose() {
      made.forEach((pass) => pass?.dispose());
      made.clear();
    },
  };
  return passes;
}
