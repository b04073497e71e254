import type { StoredTensor } from '@bulwark/core';
import {
  goldenNetwork,
  loadStateDict,
  proceduralPixels,
  proceduralWeights,
  type ProceduralGolden,
} from '@bulwark/models';
import * as tf from '@tensorflow/tfjs-core';
import { exact, ofLargest, within, type Comparison } from '../comparison.js';
import type { Golden } from '../golden.js';
import { logitValues, refuseUnknown } from './shared.js';

const proceduralFields = ['draws', 'spot_checks', 'logits_eval', 'logits_train'];

/** Full-size networks whose weights both sides draw from one stream. */
export function runProcedural(json: Golden, comparison: Comparison): void {
  refuseUnknown(json, ['image_seed', 'image_first_pixels', 'models'], comparison);
  const {
    image_seed: seed,
    image_first_pixels: first,
    models,
  } = json as unknown as {
    image_seed: number;
    image_first_pixels: number[];
    models: ProceduralGolden[];
  };
  for (const golden of models) {
    refuseUnknown(golden, proceduralFields, comparison);
    const part = (quantity: string) => ({ quantity: `${golden.model} ${quantity}` });
    const network = goldenNetwork(golden.model, golden.num_classes);
    try {
      const [height, width, channels] = network.inputShape;
      const size = height * width * channels;
      const pixels = proceduralPixels(golden.n_images * size, seed);
      const bytes = Array.from(pixels.subarray(0, channels), (value) => Math.round(value * 255));
      comparison.compare({ quantity: 'image_first_pixels' }, bytes, first, exact);
      const { tensors, draws } = proceduralWeights(network.graph, golden.weight_seed);
      comparison.compare(part('draws'), draws, golden.draws, exact);
      compareSpots(golden, tensors, comparison);
      loadStateDict(network, tensors);
      const images = tf.tensor4d(pixels, [golden.n_images, height, width, channels]);
      const [inEval, inBatch] = [logitValues(network, images, 'eval'), logitValues(network, images, 'batch')];
      images.dispose();
      comparison.compare(part('logits_eval'), inEval, golden.logits_eval.flat(), ofLargest(2e-5));
      comparison.compare(part('logits_train'), inBatch, golden.logits_train.flat(), within(1e-3));
    } finally {
      network.dispose();
    }
  }
}

function compareSpots(
  golden: ProceduralGolden,
  tensors: ReadonlyMap<string, StoredTensor>,
  comparison: Comparison,
): void {
  for (const [name, { first, sum }] of Object.entries(golden.spot_checks)) {
    const values = (tensors.get(name)?.data ?? []) as Float32Array;
    const place = { quantity: `${golden.model} spot_checks`, part: name };
    let total = 0;
    for (const value of values) total += value;
    comparison.compare(place, [...values.slice(0, first.length), total], [...first, sum], within(1e-3));
  }
}
