import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import type { CompiledPass, PassRequest } from '../../passes.js';
import type { NodeBackend } from '../binding.js';
import type { Value } from './nodes.js';
import { openSession } from './saved-model.js';
import { tracePass } from './trace.js';

type Feed = readonly [Value, Tensor];

/** Traces a pass and opens a session for it. TensorFlow optimises each of its parts when that is first run. */
export function compilePass(backend: NodeBackend, request: PassRequest): CompiledPass {
  const pass = tracePass(request);
  const session = openSession(backend.binding, pass.nodes);
  const run = (feeds: readonly Feed[], fetches: readonly Value[]): Tensor[] =>
    backend.runSavedModel(
      session,
      feeds.map(([, tensor]) => tensor),
      feeds.map(([name]) => ({ name })),
      fetches,
    );
  const forwardWeights = [...pass.weights.forward];
  const backwardWeights = [...pass.weights.backward];
  const keptNames = [...pass.kept.keys()];
  const backwardNames = [pass.dLogits, ...pass.kept.values(), ...backwardWeights.map(([, name]) => name)];
  return {
    forward(images, value, { keep }) {
      const feeds = forwardWeights.map(([name, at]): Feed => [at, value(name)]);
      // What is fetched decides what TensorFlow fuses, and batch statistics then differ in their last bits. A forward pass
      // alone shall give the same bits as one with a gradient.
      const fetches = keep || request.mode === 'batch' ? [pass.logits, ...keptNames] : [pass.logits];
      const [logits, ...found] = run([[pass.images, images], ...feeds], fetches);
      if (keep)
        return { logits: logits as Tensor2D, kept: [...found, ...backwardWeights.map(([name]) => value(name))] };
      found.forEach((tensor) => tensor.dispose());
      return { logits: logits as Tensor2D, kept: [] };
    },
    inputGradient(dLogits, kept) {
      const feeds = [dLogits, ...kept].map((tensor, at): Feed => [backwardNames[at]!, tensor]);
      return run(feeds, [pass.dImages])[0] as Tensor4D;
    },
    dispose: () => backend.binding.deleteSavedModel(session),
  };
}
