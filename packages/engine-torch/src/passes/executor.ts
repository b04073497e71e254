import { engine } from '@tensorflow/tfjs-core';
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { BulwarkError } from '@bulwark/core';
import type { PrepareRequest } from '@bulwark/core/engine';
import type {
  BatchStatistics,
  ComputeDtype,
  Executor,
  LayerStatistics,
  NetworkGraph,
  Pass,
  PassRequest,
} from '@bulwark/core/network';
import type { Kit } from '../backend/kernel.js';
import type { Handle } from '../backend/native.js';
import { memoryError } from '../memory.js';
import { programOf } from './program.js';

const volume = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

/** Bytes that a pass of one image holds at its peak, about: every layer's output once, and again for what is being computed. */
const bytesPerImage = ({ shapes }: NetworkGraph): number =>
  4 * (shapes.reduce((sum, shape) => sum + volume(shape), 0) + 4 * Math.max(...shapes.map(volume)));

const notKept = ({ wrt }: PassRequest): BulwarkError =>
  new BulwarkError(
    'PASS_INVALID',
    wrt === 'nothing'
      ? 'this pass was asked for no gradients (wrt: nothing)'
      : 'pullback was called twice, or after dispose',
    {
      hint: 'say in the request what gradients are wanted with respect to, and `keep: true` in all pullbacks but the last',
    },
  );

/**
 * Runs passes of a network whole: one call of the addon there, one back. What a pass keeps for its way back stays in the addon and is
 * freed layer by layer on that way.
 */
export function torchExecutor(
  { graph, store }: PrepareRequest,
  { kit, dtypes }: { kit: Kit; dtypes: readonly ComputeDtype[] },
): Executor {
  const { native, backend } = kit;
  const { nodes, weights, layers } = programOf(graph, store);
  const program = native.prepare(nodes);
  let prepared = true;

  const tensor = <T extends Tensor>(handle: Handle): T =>
    engine().makeTensorFromTensorInfo(backend.adopt(handle)) as unknown as T;

  /** Statistics of one batch, as the addon lists them: node, mean, variance, is that unbiased?, node, ... */
  const statisticsOf = (found: readonly number[], batch: number): BatchStatistics => {
    const statistics = new Map<string, LayerStatistics>();
    for (let at = 0; at < found.length; at += 4) {
      const [node, mean, variance, unbiased] = found.slice(at, at + 4) as [number, Handle, Handle, number];
      const count = batch * volume(graph.shapes[node]!.slice(0, -1));
      statistics.set(layers[node]!, {
        mean: tensor<Tensor1D>(mean),
        variance: tensor<Tensor1D>(variance),
        // a single value has no unbiased variance; the biased one (0) is the harmless choice
        bessel: count > 1 && unbiased === 0 ? count / (count - 1) : 1,
        count,
      });
    }
    return statistics;
  };

  return {
    dtypes,
    pass(images, request): Pass {
      const { mode, wrt, computeDtype = 'float32' } = request;
      const [ofImages, ofParameters] = [wrt === 'all' || wrt === 'images', wrt === 'all' || wrt === 'parameters'];
      const flags = [mode === 'batch', ofImages, ofParameters, computeDtype === 'bfloat16'].map(Number);
      const demand = { perImage: bytesPerImage(graph), images: Math.max(...images.map(({ shape }) => shape[0])) };
      const guarded = <T>(work: () => T): T =>
        kit.scope(() => {
          try {
            return work();
          } catch (error) {
            throw memoryError(error, native, demand);
          }
        });
      const [handle, foundLogits, foundStatistics] = guarded(() =>
        native.pass(
          program,
          images.map(kit.at),
          weights.map((name) => kit.at(store.value(name))),
          flags,
        ),
      );
      const logits = foundLogits.map((each) => tensor<Tensor2D>(each));
      const statistics =
        mode === 'batch' ? foundStatistics.map((each, at) => statisticsOf(each, images[at]!.shape[0])) : [];
      let [kept, alive] = [true, true];
      const discard = () => {
        if (kept) native.discard(handle);
        kept = false;
      };
      if (wrt === 'nothing') discard();
      return {
        logits,
        statistics,
        pullback(dLogits, { keep = false, take } = {}) {
          if (!kept) throw notKept(request);
          const [dImages, found] = guarded(() =>
            native.pullback(
              handle,
              dLogits.map((each) => each && kit.at(each)),
              keep,
              take && ((place, gradient) => take(weights[place]!, tensor(gradient))),
            ),
          );
          if (!keep) discard();
          const parameters = new Map<string, Tensor>();
          for (let at = 0; at < found.length; at += 2)
            parameters.set(weights[found[at]!]!, tensor(found[at + 1] as Handle));
          return { images: dImages.map((each) => tensor<Tensor4D>(each)), parameters };
        },
        dispose() {
          discard();
          if (!alive) return;
          alive = false;
          for (const each of logits) each.dispose();
          for (const each of statistics)
            for (const { mean, variance } of each.values()) [mean, variance].forEach((one) => one.dispose());
        },
      };
    },
    opByOpBecause() {
      const failure = prepared ? native.unrecorded(program).split('\n')[0] : '';
      return failure ? `without CUDA graphs, since ${failure}` : undefined;
    },
    dispose() {
      if (prepared) native.unprepare(program);
      prepared = false;
    },
  };
}
