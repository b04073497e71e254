import * as tf from '@tensorflow/tfjs-core';
import { passCompiler, type CompiledPass, type PassCompiler, type PassRequest } from '../engine/passes.js';
import { parametersAreConstant } from './constant-parameters.js';
import { repeatedForward } from './repeated-images.js';

type CompiledMode = PassRequest['mode'];

/** The passes of one network that the engine in use compiles as a whole. */
export interface CompiledPasses {
  /** Logits `[batch, classes]`, or undefined where the pass has to be computed op by op. */
  forward(images: tf.Tensor4D, mode: CompiledMode): tf.Tensor2D | undefined;
  dispose(): void;
}

/** Who may ask for which gradient of a pass that starts now. Compiled passes have none in parameters, and no second one. */
function wantedGradient(): 'none' | 'images' | 'any' {
  const { gradientDepth } = tf.engine().state;
  if (gradientDepth === 0) return 'none';
  return gradientDepth === 1 && parametersAreConstant() ? 'images' : 'any';
}

const differentiable = (pass: CompiledPass, images: tf.Tensor4D, value: (name: string) => tf.Tensor): tf.Tensor2D =>
  tf.customGrad((x, save) => {
    const known = repeatedForward(pass, x as tf.Tensor4D, value);
    const { logits, kept } = known ?? pass.forward(x as tf.Tensor4D, value, { keep: true });
    (save as unknown as tf.GradSaveFunc)(kept);
    return { value: known ? logits.clone() : logits, gradFunc: (dy, saved) => pass.inputGradient(dy as tf.Tensor2D, saved) };
  })(images) as tf.Tensor2D;

/**
 * A pass that compiles may still fail when it runs, where a library lacks a kernel. So it is tried once, on blank images, and
 * given up if that fails.
 */
function tried(
  pass: CompiledPass | undefined,
  shape: PassRequest['graph']['inputShape'],
  value: (name: string) => tf.Tensor,
): CompiledPass | undefined {
  if (!pass) return undefined;
  try {
    tf.tidy(() => {
      const { logits, kept } = pass.forward(tf.zeros([2, ...shape]), value, { keep: true });
      pass.inputGradient(tf.zerosLike(logits), kept);
    });
    return pass;
  } catch {
    pass.dispose();
    return undefined;
  }
}

/** Passes are compiled when first wanted, once per engine and mode. */
export function compiledPasses(
  {
    graph,
    epsilon,
    plans,
  }: Pick<PassRequest, 'graph' | 'epsilon'> & { plans: Record<CompiledMode, PassRequest['steps']> },
  value: (name: string) => tf.Tensor,
): CompiledPasses {
  const compiled = new Map<PassCompiler, Map<CompiledMode, CompiledPass | undefined>>();

  const passOf = (mode: CompiledMode): CompiledPass | undefined => {
    const compile = passCompiler();
    if (!compile) return undefined;
    if (!compiled.has(compile)) compiled.set(compile, new Map());
    const passes = compiled.get(compile)!;
    if (!passes.has(mode))
      passes.set(mode, tried(compile({ graph, steps: plans[mode], mode, epsilon }), graph.inputShape, value));
    return passes.get(mode);
  };
  const fits = (images: tf.Tensor4D) =>
    images.dtype === 'float32' && images.shape.slice(1).join() === graph.inputShape.join();

  return {
    forward(images, mode) {
      const gradient = wantedGradient();
      const pass = gradient === 'any' || !fits(images) ? undefined : passOf(mode);
      if (!pass) return undefined;
      if (gradient === 'images') return differentiable(pass, images, value);
      const known = repeatedForward(pass, images, value);
      return known ? known.logits.clone() : pass.forward(images, value, { keep: false }).logits;
    },
    dispose() {
      for (const passes of compiled.values()) for (const pass of passes.values()) pass?.dispose();
      compiled.clear();
    },
  };
}
