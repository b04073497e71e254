import * as tf from '../tensor/index.js';
import { disposeStatistics } from './classifier.js';
import type { BatchStatistics, LayerStatistics, Pass, PassRequest } from '../network/index.js';
import { record, type Recording } from './tape.js';

/** What a pass of a layers model is made with. */
export interface LayersRun {
  run(images: tf.Tensor4D, mode: PassRequest['mode'], captured?: Map<string, LayerStatistics>): tf.Tensor2D;
  readonly parameters: ReadonlyMap<string, tf.Variable>;
}

interface Trace {
  readonly images: tf.Tensor4D;
  readonly logits: tf.Tensor2D;
  readonly statistics: BatchStatistics;
  /** Of a pass that gradients are wanted of. */
  readonly recording?: Recording;
}

/** A pass of a layers model, whose way back is read from TensorFlow.js's tape. Parameters that a batch's loss does not reach have no entry. */
export function layersPass(images: readonly tf.Tensor4D[], request: PassRequest, { run, parameters }: LayersRun): Pass {
  const { mode, wrt } = request;
  const traces = images.map((given): Trace => {
    const captured = new Map<string, LayerStatistics>();
    // a tensor of its own: the model may be given the same images twice
    const points = given.clone();
    if (wrt === 'nothing') {
      const y = run(points, mode, captured);
      return { images: points, logits: y, statistics: captured };
    }
    const recording = record(() => run(points, mode, captured));
    return { images: points, logits: recording.y as tf.Tensor2D, statistics: captured, recording };
  });
  const wrtImages = wrt === 'images' || wrt === 'all';
  const variables = wrt === 'images' ? [] : [...parameters];
  let alive = true;
  return {
    logits: traces.map(({ logits }) => logits),
    statistics: mode === 'batch' ? traces.map(({ statistics }) => statistics) : [],
    pullback(dLogits, { keep = false } = {}) {
      const sums = new Map<string, tf.Tensor>();
      const found: tf.Tensor4D[] = [];
      for (let at = traces.length - 1; at >= 0; at--) {
        const { images: points, recording } = traces[at]!;
        const given = dLogits[at];
        const xs = [...(wrtImages ? [points] : []), ...variables.map(([, variable]) => variable)];
        const gradients = given ? recording!.pullback(given, xs, { keep }) : [];
        if (wrtImages) found.unshift((gradients.shift() as tf.Tensor4D | undefined) ?? tf.zeros(points.shape));
        gradients.forEach((gradient, i) => {
          if (!gradient) return;
          const [name] = variables[i]!;
          const before = sums.get(name);
          sums.set(name, before ? tf.add(before, gradient) : gradient);
          if (before) tf.dispose([before, gradient]);
        });
        if (!given && !keep) recording!.dispose();
      }
      return { images: found, parameters: sums };
    },
    dispose() {
      if (!alive) return;
      for (const { images: points, logits, statistics, recording } of traces) {
        recording?.dispose();
        tf.dispose([points, logits]);
        disposeStatistics(statistics);
      }
      alive = false;
    },
  };
}
