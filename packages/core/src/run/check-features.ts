import type { Classifier } from '../classifier/index.js';
import { BulwarkError } from '../errors.js';
import { pointsOfPass, type Objective } from '../hooks/index.js';
import { featureNames, featureNode, type NetworkGraph } from '../network/index.js';
import { nearest } from '../plugins/index.js';

/**
 * Looks whether the networks have the layers that terms read.
 * @throws BulwarkError MODEL_INVALID with the nearest names
 */
export function checkFeatures(model: Classifier, { name = 'the objective', terms, companions }: Objective): void {
  for (const term of terms)
    for (const { role, layer } of term.features ?? []) {
      const { companion } = pointsOfPass(role);
      const network = companion === undefined ? model : companions!.get(companion)!;
      const what = `${name}: the ${term.name} term reads the layer ${layer} of ${network.name}`;
      if (!('graph' in network))
        throw new BulwarkError('MODEL_INVALID', `${what}, which is not a graph of layers and shows none`, {
          hint: 'take an architecture of Bulwark, or a term that reads logits',
        });
      const graph = network.graph as NetworkGraph;
      if (featureNode(graph, layer) >= 0) continue;
      const names = featureNames(graph);
      const near = nearest(layer.replace(/\.input$/, ''), names);
      throw new BulwarkError('MODEL_INVALID', `${what}, which has no such layer`, {
        hint: near
          ? `did you mean ${near}? layers: ${names.join(', ')}`
          : `layers: ${names.join(', ')}; with .input behind a name, what that layer reads`,
      });
    }
}
