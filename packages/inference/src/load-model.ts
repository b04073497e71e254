import * as tf from '@tensorflow/tfjs-core';
import {
  BulwarkError,
  logitsOf,
  useEngine,
  type Classifier,
  type EngineRequest,
  type ModelFacts,
  type UseEngineOptions,
} from '@bulwark/core';
import { currentSession } from '@bulwark/core/engine';
import { openModel, type OpenOptions } from '@bulwark/models';
import { pixelsOf, type ImageInput } from './images.js';

/** How to load a model. */
export interface LoadModelOptions extends OpenOptions, Pick<UseEngineOptions, 'engines'> {
  /** Name or spec as in a config; default: the engine in use, else `auto`. */
  readonly engine?: string | EngineRequest;
}

/** How to predict. */
export interface PredictOptions {
  /** Images that are computed at once; default 64. More needs more memory. */
  readonly batchSize?: number;
}

/** What a model says of one image. */
export interface Prediction {
  /** Name of the most probable class. */
  readonly label: string;
  /** Its position among the classes. */
  readonly index: number;
  /** Its probability, in (0, 1]. */
  readonly probability: number;
  /** Probabilities of all classes by name, in the order of the logits. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** `[classes]`, before the softmax. */
  readonly logits: Float32Array;
}

/** A trained model, ready to predict. */
export interface LoadedModel {
  /** What is known of it: architecture, normalisation, threat model, data. */
  readonly facts: ModelFacts;
  readonly classNames: readonly string[];
  /** For attacks and gradients. */
  readonly classifier: Classifier;
  /**
   * One prediction for each image, in order. Keeps no tensor; may be called again before it is done.
   * @throws BulwarkError BATCH_INVALID, DATA_CORRUPT for what is no image of the model's
   */
  predict(images: ImageInput | readonly ImageInput[], options?: PredictOptions): Promise<Prediction[]>;
  /** Frees the weights. */
  dispose(): void;
}

/** Softmax of one row, in double precision. */
function softmax(logits: Float32Array): number[] {
  const most = logits.reduce((a, b) => Math.max(a, b));
  const powers = Array.from(logits, (logit) => Math.exp(logit - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

function prediction(logits: Float32Array, classNames: readonly string[]): Prediction {
  const all = softmax(logits);
  const index = all.reduce((best, value, i) => (value > all[best]! ? i : best), 0);
  const probabilities = Object.fromEntries(classNames.map((name, i) => [name, all[i]!]));
  return { label: classNames[index]!, index, probability: all[index]!, probabilities, logits };
}

/**
 * Loads a trained model: a run folder, weights (`.safetensors`, `.pt`), a `model.json` of TensorFlow.js, or the folder of an export. What it
 * computes and what its classes are called comes from the file; no data set is needed, and no plugin runs but built-in ones and those given here.
 * @throws BulwarkError RUN_MISSING, WEIGHTS_INVALID, MODEL_INVALID, PLUGIN_UNKNOWN, ENGINE_UNAVAILABLE
 */
export async function loadModel(path: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const { engine, engines } = options;
  if (engine !== undefined || !currentSession()) await useEngine(engine ?? 'auto', engines ? { engines } : {});
  const { classifier, facts, classNames } = await openModel(path, options);
  const { inputShape, classes } = classifier;
  const size = inputShape.reduce((product, n) => product * n, 1);

  return {
    facts,
    classNames,
    classifier,
    async predict(images, { batchSize = 64 } = {}) {
      if (!Number.isInteger(batchSize) || batchSize < 1)
        throw new BulwarkError('BATCH_INVALID', `batchSize is ${batchSize}`, { hint: 'give a whole number from 1' });
      const pixels = await pixelsOf(images, inputShape);
      const predictions: Prediction[] = [];
      for (let from = 0; from < pixels.length; from += batchSize * size) {
        const part = pixels.subarray(from, from + batchSize * size);
        const logits = tf.tidy(() => logitsOf(classifier, tf.tensor4d(part, [part.length / size, ...inputShape])));
        try {
          const values = (await logits.data()) as Float32Array;
          for (let at = 0; at < values.length; at += classes)
            predictions.push(prediction(values.slice(at, at + classes), classNames));
        } finally {
          logits.dispose();
        }
      }
      return predictions;
    },
    dispose: () => classifier.dispose(),
  };
}
