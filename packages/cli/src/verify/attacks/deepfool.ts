import { logitsOf, norms } from '@bulwark/core';
import { deepFool } from '@bulwark/core/testing';
import * as tf from '@tensorflow/tfjs-core';
import { within, type Comparison } from '../comparison.js';
import { field, malformed, type Golden } from '../golden.js';
import { numbers, runsOf, type Setting } from './setting.js';

type Kind = Pick<Parameters<typeof deepFool>[0], 'variant' | 'norm'>;

const kinds: Readonly<Record<string, Kind>> = {
  lts4: { variant: 'lts4', norm: norms.l2 },
  foolbox_l2: { variant: 'foolbox', norm: norms.l2 },
  foolbox_linf: { variant: 'foolbox', norm: norms.linf },
  torchattacks: { variant: 'torchattacks', norm: norms.l2 },
};

/** What a run says of its examples: lists, or one record per example. */
function expectations(run: Golden): { classes: number[]; l2: number[]; linf: number[]; loops?: number[] } {
  const records = run['per_example'] as Record<string, number>[] | undefined;
  if (!records) return { classes: numbers(run, 'pred'), l2: numbers(run, 'l2'), linf: numbers(run, 'linf') };
  const of = (name: string) => records.map((record) => record[name]!);
  return { classes: of('end_label'), l2: of('l2'), linf: of('linf'), loops: of('loops') };
}

/** DeepFool as four codes have it: lengths, classes, steps. */
export async function deepFoolCase(
  json: Golden,
  { setting, comparison }: { setting: Setting; comparison: Comparison },
): Promise<void> {
  for (const run of runsOf(json)) {
    const part = String(field(run, 'name'));
    const kind = kinds[part];
    if (!kind) throw malformed(`the run ${part} is not known; known: ${Object.keys(kinds).join(', ')}`);
    const golden = expectations(run);
    const { images, labels } = setting.batch(golden.l2.length);
    const { points, steps } = await deepFool({
      ...{ ...kind, images, labels, model: setting.model, candidates: setting.model.classes },
      iterations: Number(json['max_iter'] ?? 50),
      overshoot: Number(json['overshoot'] ?? 0.02),
    });
    const found = tf.tidy(() => {
      const moved = tf.sub(points, images);
      return {
        classes: tf.argMax(logitsOf(setting.model, points), 1).dataSync().slice(),
        l2: tf
          .sqrt(tf.sum(tf.square(moved), [1, 2, 3]))
          .dataSync()
          .slice(),
        linf: tf.max(tf.abs(moved), [1, 2, 3]).dataSync().slice(),
      };
    });
    points.dispose();
    comparison.compare({ quantity: 'l2', part }, found.l2, golden.l2, within(1e-4));
    comparison.compare({ quantity: 'linf', part }, found.linf, golden.linf, within(1e-4));
    // torchattacks may end on the boundary exactly, where rounding decides the class
    if (part !== 'torchattacks')
      comparison.compare({ quantity: 'class', part }, found.classes, golden.classes, within(0));
    if (golden.loops) comparison.compare({ quantity: 'steps', part }, steps, golden.loops, within(0));
  }
}
