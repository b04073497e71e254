import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { CompiledForward, CompiledPass, CompileRequest } from './compiled-pass.js';
import type { NodeBackend } from '../binding.js';
import { foldedWeights } from './folded-weights.js';
import { openSession } from './saved-model.js';
import type { Value } from './nodes.js';
import { tracePass, type TracedBatch } from './trace.js';

/** Traces a pass and opens a session for it. TensorFlow optimises each of its parts when that is first run. */
export function compilePass(backend: NodeBackend, request: CompileRequest): CompiledPass {
  const pass = tracePass(request);
  const session = openSession(backend, pass.nodes);
  const folded = foldedWeights(backend, session, pass);

  const own = pass.batches[0]!.kept.size;
  const forwardWeights = [...pass.weights.forward.keys()];
  const backwardWeights = [...pass.weights.backward.keys()];
  const sharedFeeds = [...pass.weights.forward.values(), ...pass.folded.values()];
  const tensorsOf = (feeds: Value[], ids: number[], fetches: Value[]): Tensor[] =>
    session.run(feeds, ids, fetches).map((output) => backend.createOutputTensor(output));

  /** Runs the forward part; what it finds is given out in the order of `fetches`. */
  const runForward = (images: readonly Tensor4D[], value: (name: string) => Tensor, fetches: Value[]): Tensor[] => {
    const batches = pass.batches.slice(0, images.length);
    const ids = [...backend.getInputTensorIds([...images, ...forwardWeights.map(value)]), ...folded.ids(value)];
    return tensorsOf([...batches.map((batch) => batch.images), ...sharedFeeds], ids, fetches);
  };
  const keptOf = (batches: readonly TracedBatch[]): Value[] => batches.flatMap(({ kept }) => [...kept.keys()]);
  /** Takes what `keptOf` asked for from the front of `found`; variables of the backward part go along. */
  const takeKept = (found: Tensor[], count: number, value: (name: string) => Tensor): Tensor[][] => {
    const variables = backwardWeights.map(value);
    return Array.from({ length: count }, () => [...found.splice(0, own), ...variables]);
  };
  const runBackward = (dLogits: readonly Tensor2D[], kept: readonly (readonly Tensor[])[], fetches: Value[]) => {
    const batches = pass.batches.slice(0, dLogits.length);
    const feeds = [
      ...batches.map((batch) => batch.dLogits),
      ...batches.flatMap((batch) => [...batch.kept.values()]),
      ...pass.weights.backward.values(),
    ];
    const variables = kept[0]!.slice(own);
    const given = [...dLogits, ...kept.flatMap((values) => values.slice(0, own)), ...variables];
    return tensorsOf(feeds, backend.getInputTensorIds(given), fetches);
  };

  const parameterGradients: CompiledPass['parameterGradients'] = (dLogits, residuals, { images }) => {
    const batches = images ? pass.batches.slice(0, dLogits.length) : [];
    const sums = [...pass.parameters.values()].map((sum) => sum[dLogits.length - 1]!);
    const found = runBackward(dLogits, residuals, [...batches.map(({ dImages }) => dImages), ...sums]);
    const dImages = found.splice(0, batches.length) as Tensor4D[];
    return { images: dImages, parameters: new Map([...pass.parameters.keys()].map((name, at) => [name, found[at]!])) };
  };

  return {
    threaded: pass.nodes.some(({ op }) => op === 'BulwarkConvolution'),
    forward(images, value, { keep }): CompiledForward {
      const batches = pass.batches.slice(0, images.length);
      const statistics = batches.flatMap((batch) => batch.statistics.flatMap(({ mean, variance }) => [mean, variance]));
      // What is fetched decides what TensorFlow fuses, and batch statistics then differ in their last bits. A forward pass
      // alone shall give the same bits as one with a gradient.
      const all = keep || request.mode === 'batch';
      const found = runForward(images, value, [
        ...batches.map(({ logits }) => logits),
        ...statistics,
        ...(all ? keptOf(batches) : []),
      ]);
      const logits = found.splice(0, batches.length) as Tensor2D[];
      const layers = batches.map((batch) =>
        batch.statistics.map(({ layer }) => {
          const [mean, variance] = found.splice(0, 2) as [Tensor1D, Tensor1D];
          return { layer, mean, variance };
        }),
      );
      if (keep) return { logits, statistics: layers, residuals: takeKept(found, batches.length, value) };
      found.forEach((tensor) => tensor.dispose());
      return { logits, statistics: layers, residuals: batches.map(() => []) };
    },
    inputGradients(dLogits, residuals) {
      const batches = pass.batches.slice(0, dLogits.length);
      return runBackward(
        dLogits,
        residuals,
        batches.map(({ dImages }) => dImages),
      ) as Tensor4D[];
    },
    ...(pass.parameters.size > 0 && { parameterGradients }),
    release: () => folded.dispose(),
    dispose() {
      folded.dispose();
      session.close();
    },
  };
}
