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

  const { batches } = pass;
  const forwardWeights = [...pass.weights.forward.keys()];
  const forwardFeeds = [
    ...batches.map(({ images }) => images),
    ...pass.weights.forward.values(),
    ...pass.folded.values(),
  ];
  const backwardWeights = [...pass.weights.backward.keys()];
  const backwardFeeds = [
    ...batches.map(({ dLogits }) => dLogits),
    ...batches.flatMap(({ kept }) => [...kept.values()]),
    ...pass.weights.backward.values(),
  ];
  const backwardFetches = batches.map(({ dImages }) => dImages);
  // What is fetched decides what TensorFlow fuses, and batch statistics then differ in their last bits. A forward pass
  // alone shall give the same bits as one with a gradient.
  const outputs = batches.map(({ logits }) => logits);
  const withKept = [...outputs, ...batches.flatMap(({ kept }) => [...kept.keys()])];
  const alone = request.mode === 'batch' ? withKept : outputs;
  return {
    forward(images, value, { keep }) {
      const ids = [...backend.getInputTensorIds([...images, ...forwardWeights.map(value)]), ...folded.ids(value)];
      const found = session
        .run(forwardFeeds, ids, keep ? withKept : alone)
        .map((output) => backend.createOutputTensor(output));
      const logits = found.splice(0, batches.length) as Tensor2D[];
      if (keep) return { logits, kept: [...found, ...backwardWeights.map(value)] };
      found.forEach((tensor) => tensor.dispose());
      return { logits, kept: [] };
    },
    inputGradient(dLogits, kept) {
      const ids = backend.getInputTensorIds([...dLogits, ...kept]);
      return session
        .run(backwardFeeds, ids, backwardFetches)
        .map((output) => backend.createOutputTensor(output) as Tensor4D);
    },
    dispose() {
      folded.dispose();
      session.close();
    },
  };
}
