import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { CompiledPass, PassRequest } from '../../passes.js';
import type { NodeBackend } from '../binding.js';
import { foldedWeights } from './folded-weights.js';
import { openSession } from './saved-model.js';
import { tracePass } from './trace.js';

/** Traces a pass and opens a session for it. TensorFlow optimises each of its parts when that is first run. */
export function compilePass(backend: NodeBackend, request: PassRequest): CompiledPass {
  const pass = tracePass(request);
  const session = openSession(backend, pass.nodes);
  const folded = foldedWeights(backend, session, pass);

  const own = pass.batches[0]!.kept.size;
  const forwardWeights = [...pass.weights.forward.keys()];
  const backwardWeights = [...pass.weights.backward.keys()];
  const sharedFeeds = [...pass.weights.forward.values(), ...pass.folded.values()];
  return {
    forward(images, value, { keep }) {
      const batches = pass.batches.slice(0, images.length);
      const ids = [...backend.getInputTensorIds([...images, ...forwardWeights.map(value)]), ...folded.ids(value)];
      // What is fetched decides what TensorFlow fuses, and batch statistics then differ in their last bits. A forward pass
      // alone shall give the same bits as one with a gradient.
      const all = keep || request.mode === 'batch';
      const fetches = [
        ...batches.map(({ logits }) => logits),
        ...(all ? batches.flatMap(({ kept }) => [...kept.keys()]) : []),
      ];
      const found = session
        .run([...batches.map((batch) => batch.images), ...sharedFeeds], ids, fetches)
        .map((output) => backend.createOutputTensor(output));
      const logits = found.splice(0, batches.length) as Tensor2D[];
      if (keep) {
        const variables = backwardWeights.map(value);
        return { logits, kept: batches.map(() => [...found.splice(0, own), ...variables]) };
      }
      found.forEach((tensor) => tensor.dispose());
      return { logits, kept: batches.map(() => []) };
    },
    inputGradient(dLogits, kept) {
      const batches = pass.batches.slice(0, dLogits.length);
      const variables = kept[0]!.slice(own);
      const feeds = [
        ...batches.map((batch) => batch.dLogits),
        ...batches.flatMap((batch) => [...batch.kept.values()]),
        ...pass.weights.backward.values(),
      ];
      const given = [...dLogits, ...kept.flatMap((values) => values.slice(0, own)), ...variables];
      const fetches = batches.map(({ dImages }) => dImages);
      return session
        .run(feeds, backend.getInputTensorIds(given), fetches)
        .map((output) => backend.createOutputTensor(output) as Tensor4D);
    },
    dispose() {
      folded.dispose();
      session.close();
    },
  };
}
