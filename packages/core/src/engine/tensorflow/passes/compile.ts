import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
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

  const forwardWeights = [...pass.weights.forward.keys()];
  const forwardFeeds = [pass.images, ...pass.weights.forward.values(), ...pass.folded.values()];
  const backwardWeights = [...pass.weights.backward.keys()];
  const backwardFeeds = [pass.dLogits, ...pass.kept.values(), ...pass.weights.backward.values()];
  // What is fetched decides what TensorFlow fuses, and batch statistics then differ in their last bits. A forward pass
  // alone shall give the same bits as one with a gradient.
  const withKept = [pass.logits, ...pass.kept.keys()];
  const alone = request.mode === 'batch' ? withKept : [pass.logits];
  return {
    forward(images, value, { keep }) {
      const ids = [...backend.getInputTensorIds([images, ...forwardWeights.map(value)]), ...folded.ids(value)];
      const [logits, ...found] = session
        .run(forwardFeeds, ids, keep ? withKept : alone)
        .map((output) => backend.createOutputTensor(output)) as [Tensor2D, ...Tensor[]];
      if (keep) return { logits, kept: [...found, ...backwardWeights.map(value)] };
      found.forEach((tensor) => tensor.dispose());
      return { logits, kept: [] };
    },
    inputGradient(dLogits, kept) {
      const ids = backend.getInputTensorIds([dLogits, ...kept]);
      return backend.createOutputTensor(session.run(backwardFeeds, ids, [pass.dImages])[0]!) as Tensor4D;
    },
    dispose() {
      folded.dispose();
      session.close();
    },
  };
}
