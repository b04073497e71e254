import * as tf from '@tensorflow/tfjs-core';
import { passCompiler, type CompiledPass, type PassCompiler, type PassRequest } from '../engine/passes.js';
import { parametersAreConstant } from './constant-parameters.js';
import { repeatedForward } from './repeated-images.js';

type CompiledMode = PassRequest['mode'];
type ValueOf = (name: string) => tf.Tensor;

/** The passes of one network that the engine in use compiles as a whole. */
export interface CompiledPasses {
  /** Logits `[batch, classes]`, or undefined where the pass has to be computed op by op. */
  forward(images: tf.Tensor4D, mode: CompiledMode): tf.Tensor2D | undefined;
  /** The same for several batches side by side. */
  forwardEach(images: readonly tf.Tensor4D[], mode: CompiledMode): tf.Tensor2D[] | undefined;
  dispose(): void;
}

/** Who may ask for which gradient of a pass that starts now. Compiled passes have none in parameters, and no second one. */
function wantedGradient(): 'none' | 'images' | 'any' {
  const { gradientDepth } = tf.engine().state;
  if (gradientDepth === 0) return 'none';
  return gradientDepth === 1 && parametersAreConstant() ? 'images' : 'any';
}

const differentiable = (pass: CompiledPass, images: tf.Tensor4D, value: ValueOf): tf.Tensor2D =>
  tf.customGrad((x, save) => {
    const known = repeatedForward(pass, x as tf.Tensor4D, value);
    const found = known ? undefined : pass.forward([x as tf.Tensor4D], value, { keep: true });
    (save as unknown as tf.GradSaveFunc)(known?.kept ?? found!.kept);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => pass.inputGradient([dy as tf.Tensor2D], saved)[0]!;
    return { value: known?.logits.clone() ?? found!.logits[0]!, gradFunc };
  })(images) as tf.Tensor2D;

const differentiableEach = (pass: CompiledPass, images: readonly tf.Tensor4D[], value: ValueOf): tf.Tensor2D[] =>
  tf.unstack(
    tf.customGrad((...given) => {
      const save = given.pop() as unknown as tf.GradSaveFunc;
      const { logits, kept } = pass.forward(given as tf.Tensor4D[], value, { keep: true });
      save(kept);
      const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) =>
        pass.inputGradient(tf.unstack(dy) as tf.Tensor2D[], saved);
      return { value: tf.stack(logits), gradFunc };
    })(...images),
  ) as tf.Tensor2D[];

/** From here on a batch in `eval` mode, whose examples do not depend on each other, passes as two. */
const worthHalving = 16;

const halves = <T extends tf.Tensor>(whole: T): T[] => {
  const first = Math.ceil(whole.shape[0]! / 2);
  return tf.split(whole, [first, whole.shape[0]! - first]);
};

/** What `compute` makes of the halves, as one again. */
function joined<T extends tf.Tensor>(whole: tf.Tensor, compute: (parts: tf.Tensor[]) => T[]): T {
  const parts = halves(whole);
  const results = compute(parts);
  const result = tf.concat(results);
  tf.dispose([parts, results]);
  return result;
}

/** A pass of two batches as one of both: the halves go side by side. */
const inHalves = (pass: CompiledPass): CompiledPass => ({
  forward([images], value, options) {
    let kept: tf.Tensor[] = [];
    const logits = joined(images!, (parts) => {
      const found = pass.forward(parts as tf.Tensor4D[], value, options);
      kept = found.kept;
      return found.logits;
    });
    return { logits: [logits], kept };
  },
  inputGradient: ([dLogits], kept) => [joined(dLogits!, (parts) => pass.inputGradient(parts as tf.Tensor2D[], kept))],
  dispose: () => pass.dispose(),
});

/**
 * A pass that compiles may still fail when it runs, where a library lacks a kernel. So it is tried once, on blank images, and
 * given up if that fails.
 */
function tried(
  pass: CompiledPass | undefined,
  { graph, batches }: Pick<PassRequest, 'graph' | 'batches'>,
  value: ValueOf,
): CompiledPass | undefined {
  if (!pass) return undefined;
  try {
    tf.tidy(() => {
      const blank = Array.from({ length: batches }, () => tf.zeros([2, ...graph.inputShape]) as tf.Tensor4D);
      const { logits, kept } = pass.forward(blank, value, { keep: true });
      pass.inputGradient(logits.map(tf.zerosLike), kept);
    });
    return pass;
  } catch {
    pass.dispose();
    return undefined;
  }
}

/** Passes are compiled when first wanted, once per engine, mode and number of batches. */
export function compiledPasses(
  {
    graph,
    epsilon,
    plans,
  }: Pick<PassRequest, 'graph' | 'epsilon'> & { plans: Record<CompiledMode, PassRequest['steps']> },
  value: ValueOf,
): CompiledPasses {
  const compiled = new Map<PassCompiler, Map<string, CompiledPass | undefined>>();

  const passOf = (mode: CompiledMode, batches: number): CompiledPass | undefined => {
    const compile = passCompiler();
    if (!compile) return undefined;
    if (!compiled.has(compile)) compiled.set(compile, new Map());
    const passes = compiled.get(compile)!;
    const key = `${mode} ${batches}`;
    if (!passes.has(key)) {
      const request = { graph, steps: plans[mode], mode, epsilon, batches };
      passes.set(key, tried(compile(request), request, value));
    }
    return passes.get(key);
  };
  const halved = new WeakMap<CompiledPass, CompiledPass>();
  const passFor = (images: tf.Tensor4D, mode: CompiledMode): CompiledPass | undefined => {
    if (mode === 'batch' || images.shape[0] < worthHalving) return passOf(mode, 1);
    const pair = passOf(mode, 2);
    if (pair && !halved.has(pair)) halved.set(pair, inHalves(pair));
    return pair && halved.get(pair);
  };
  const fits = (images: tf.Tensor4D) =>
    images.dtype === 'float32' && images.shape.slice(1).join() === graph.inputShape.join();

  return {
    forward(images, mode) {
      const gradient = wantedGradient();
      const pass = gradient === 'any' || !fits(images) ? undefined : passFor(images, mode);
      if (!pass) return undefined;
      if (gradient === 'images') return differentiable(pass, images, value);
      const known = repeatedForward(pass, images, value);
      return known ? known.logits.clone() : pass.forward([images], value, { keep: false }).logits[0]!;
    },
    forwardEach(images, mode) {
      const gradient = wantedGradient();
      // logits are handed on as one tensor, so all batches must be of one size
      const together = images.every((each) => fits(each) && each.shape[0] === images[0]!.shape[0]);
      const pass = gradient === 'any' || !together ? undefined : passOf(mode, images.length);
      if (!pass) return undefined;
      return gradient === 'images'
        ? differentiableEach(pass, images, value)
        : pass.forward(images, value, { keep: false }).logits;
    },
    dispose() {
      for (const passes of compiled.values()) for (const pass of passes.values()) pass?.dispose();
      compiled.clear();
    },
  };
}
