import * as tf from '@tensorflow/tfjs-core';
import { passCompiler, type CompiledPass, type PassCompiler, type PassRequest } from '../engine/passes.js';
import { passesAgree } from './agreement.js';
import { passCaptured, valuesPerImage, type Captured } from './compiled-training.js';
import { parametersAreConstant } from './constant-parameters.js';
import { inHalves, worthHalving } from './halves.js';
import { mayReducePrecision, precisionIsReduced } from './reduced-precision.js';
import { isRepeated, repeatedForward } from './repeated-images.js';

type CompiledMode = PassRequest['mode'];
type Elements = PassRequest['elements'];
type ValueOf = (name: string) => tf.Tensor;

/** The passes of one network that the engine in use compiles as a whole. */
export interface CompiledPasses {
  /** Logits `[batch, classes]`, or undefined where the pass has to be computed op by op. */
  forward(images: tf.Tensor4D, mode: CompiledMode): tf.Tensor2D | undefined;
  /** The same for several batches side by side. */
  forwardEach(images: readonly tf.Tensor4D[], mode: CompiledMode): tf.Tensor2D[] | undefined;
  /** Passes in `batch` mode with what they found, differentiable in images and parameters. */
  captureEach(images: readonly tf.Tensor4D[]): Captured[] | undefined;
  dispose(): void;
}

/**
 * Who may ask for which gradient of a pass that starts now. Only compiled passes that capture statistics have gradients in parameters;
 * none has a second one.
 */
function wantedGradient(): 'none' | 'images' | 'any' {
  const { gradientDepth } = tf.engine().state;
  if (gradientDepth === 0) return 'none';
  return gradientDepth === 1 && parametersAreConstant() ? 'images' : 'any';
}

/** Most batches that are passed side by side: the three points of Squeeze Training. */
const mostBatches = 3;

/** Forward passes ready to be differentiated. Those at repeated images may be known; the others are computed side by side. */
function passed(pass: CompiledPass, images: readonly tf.Tensor4D[], value: ValueOf) {
  const known = images.map((each) => repeatedForward(pass, each, value));
  const others = images.filter((_, at) => !known[at]);
  const { logits, kept } = others.length > 0 ? pass.forward(others, value, { keep: true }) : { logits: [], kept: [] };
  return known.map((one) =>
    one
      ? { logits: one.logits.clone(), kept: one.kept, known: true }
      : { logits: logits.shift()!, kept: kept.shift()!, known: false },
  );
}

const isZero = (tensor: tf.Tensor): boolean => tensor.dataSync().every((number) => number === 0);

/** Logits of batches, of one size where there are several; differentiable in all images. */
function differentiable(pass: CompiledPass, images: readonly tf.Tensor4D[], value: ValueOf): tf.Tensor2D[] {
  const single = images.length === 1;
  const all = tf.customGrad((...given) => {
    const save = given.pop() as unknown as tf.GradSaveFunc;
    const found = passed(pass, given as tf.Tensor4D[], value);
    save(found.flatMap(({ kept }) => kept));
    const lengths = found.map(({ kept }) => kept.length);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const dLogits = (single ? [dy] : tf.unstack(dy)) as tf.Tensor2D[];
      const rest = [...saved];
      const kept = lengths.map((length) => rest.splice(0, length));
      // a known pass may be there although nothing depends on it
      const wanted = found.flatMap(({ known }, at) => (known && isZero(dLogits[at]!) ? [] : [at]));
      const gradients = new Map<number, tf.Tensor>();
      if (wanted.length > 0)
        pass
          .inputGradient(
            wanted.map((at) => dLogits[at]!),
            wanted.map((at) => kept[at]!),
          )
          .forEach((gradient, i) => gradients.set(wanted[i]!, gradient));
      return images.map((each, at) => gradients.get(at) ?? tf.zeros(each.shape));
    };
    const logits = found.map((one) => one.logits);
    return { value: single ? logits[0]! : tf.stack(logits), gradFunc };
  })(...images);
  return (single ? [all] : tf.unstack(all)) as tf.Tensor2D[];
}

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
      const found = pass.training?.forward(blank, value);
      if (found) pass.training!.gradients(found.logits.map(tf.zerosLike), found.kept);
    });
    return pass;
  } catch {
    pass.dispose();
    return undefined;
  }
}

interface CompiledBoth {
  readonly whole: CompiledPass;
  readonly halved: CompiledPass;
}

/** Passes are compiled when first wanted, once per engine, mode and type of elements. */
export function compiledPasses(
  {
    graph,
    epsilon,
    plans,
    parameters,
  }: Pick<PassRequest, 'graph' | 'epsilon'> & {
    plans: Record<CompiledMode, PassRequest['steps']>;
    /** Names of all parameters. */
    parameters: readonly string[];
  },
  value: ValueOf,
): CompiledPasses {
  const compiled = new Map<PassCompiler, Map<`${CompiledMode} ${Elements}`, CompiledBoth | undefined>>();

  /** Its pass in bfloat16 must agree with the one in float32. */
  const agrees = (pass: CompiledPass, mode: CompiledMode): boolean => {
    const exact = passIn(mode, 'float32');
    return exact !== undefined && passesAgree(pass, exact.whole, { inputShape: graph.inputShape, value });
  };
  const passIn = (mode: CompiledMode, elements: Elements): CompiledBoth | undefined => {
    const compile = passCompiler();
    if (!compile) return undefined;
    if (!compiled.has(compile)) compiled.set(compile, new Map());
    const passes = compiled.get(compile)!;
    const key = `${mode} ${elements}` as const;
    if (!passes.has(key)) {
      const request = { graph, steps: plans[mode], mode, epsilon, batches: mostBatches, elements };
      let pass = tried(compile(request), request, value);
      if (pass && elements === 'bfloat16' && !agrees(pass, mode)) {
        pass.dispose();
        pass = undefined;
      }
      passes.set(key, pass && { whole: pass, halved: inHalves(pass) });
    }
    return passes.get(key);
  };
  const passOf = (mode: CompiledMode) => {
    const reduced = mayReducePrecision() ? passIn(mode, 'bfloat16') : undefined;
    if (reduced) precisionIsReduced();
    return reduced ?? passIn(mode, 'float32');
  };
  const values = valuesPerImage(graph);
  const fits = (images: tf.Tensor4D) =>
    images.dtype === 'float32' && images.shape.slice(1).join() === graph.inputShape.join();
  /** Logits are handed on as one tensor, so all batches must be of one size. */
  const together = (images: readonly tf.Tensor4D[]) =>
    images.length <= mostBatches && images.every((each) => fits(each) && each.shape[0] === images[0]!.shape[0]);

  return {
    forward(images, mode) {
      const gradient = wantedGradient();
      const passes = gradient === 'any' || !fits(images) ? undefined : passOf(mode);
      if (!passes) return undefined;
      // what is kept of repeated images must fit `forwardEach`, too
      const halve = mode === 'eval' && images.shape[0] >= worthHalving && !isRepeated(images);
      const pass = halve ? passes.halved : passes.whole;
      if (gradient === 'images') return differentiable(pass, [images], value)[0];
      const known = repeatedForward(pass, images, value);
      return known ? known.logits.clone() : pass.forward([images], value, { keep: false }).logits[0]!;
    },
    forwardEach(images, mode) {
      const gradient = wantedGradient();
      const pass = gradient === 'any' || !together(images) ? undefined : passOf(mode)?.whole;
      if (!pass) return undefined;
      return gradient === 'images'
        ? differentiable(pass, images, value)
        : pass.forward(images, value, { keep: false }).logits;
    },
    captureEach(images) {
      // op by op a single batch takes a sixth longer, but frees activations on the way back, and peaks at much less memory
      if (images.length < 2 || tf.engine().state.gradientDepth > 1 || !together(images)) return undefined;
      const whole = passIn('batch', 'float32')?.whole;
      // weights change when they have learnt from this pass, so what others keep of them is of no use any more
      for (const passes of compiled.values())
        for (const each of passes.values()) if (each && each.whole !== whole) each.whole.release();
      const training = whole?.training;
      return training && passCaptured(training, images, { parameters, value, values });
    },
    dispose() {
      for (const passes of compiled.values()) for (const pass of passes.values()) pass?.whole.dispose();
      compiled.clear();
    },
  };
}
