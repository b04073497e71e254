import * as tf from '@tensorflow/tfjs-core';
import type { CompiledPass } from '../engine/passes.js';

/** A pass of one batch. */
interface Forward {
  readonly logits: tf.Tensor2D;
  readonly kept: tf.Tensor[];
}

/** Images that are passed again and again, and what the passes at them found. */
interface Repeated {
  readonly images: tf.Tensor4D;
  readonly passes: Map<CompiledPass, Forward>;
}

let repeated: Repeated | undefined;

/**
 * Says that `work` passes `images` (or clones of them) through classifiers several times, and that weights stand still
 * meanwhile: engines that compile whole passes then keep the forward pass, also to differentiate it again. Numbers stay
 * the same bit by bit. `work` must not be asynchronous.
 */
export function withRepeatedImages<T>(images: tf.Tensor4D, work: () => T): T {
  const outer = repeated;
  const passes: Repeated['passes'] = new Map();
  repeated = { images, passes };
  try {
    return work();
  } finally {
    repeated = outer;
    for (const { logits, kept } of passes.values()) tf.dispose([logits, ...kept]);
  }
}

/** Whether these images are said to be passed again. */
export const isRepeated = (images: tf.Tensor4D): boolean => repeated?.images.dataId === images.dataId;

/**
 * Whether the engine has kept a forward pass at these images, so that passing them again costs nothing, and their gradient
 * nothing where none is asked for. See `withRepeatedImages`.
 */
export const passIsKept = (images: tf.Tensor4D): boolean => isRepeated(images) && repeated!.passes.size > 0;

/** The forward pass at these images, ready to be differentiated, kept until the scope ends; undefined for other images. */
export function repeatedForward(
  pass: CompiledPass,
  images: tf.Tensor4D,
  value: (name: string) => tf.Tensor,
): Forward | undefined {
  if (!isRepeated(images)) return undefined;
  const { passes } = repeated!;
  if (!passes.has(pass)) {
    const [logits, ...kept] = tf.tidy(() => {
      const found = pass.forward([images], value, { keep: true });
      // variables are among them: a clone keeps the values of now
      return [...found.logits, ...found.kept[0]!].map((tensor) => tf.keep(tensor.clone()));
    }) as [tf.Tensor2D, ...tf.Tensor[]];
    passes.set(pass, { logits, kept });
  }
  return passes.get(pass);
}
