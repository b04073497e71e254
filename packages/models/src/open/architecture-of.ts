import { BulwarkError, type ArchitectureSpec, type ModelFacts } from '@bulwark/core';
import { identify } from '../weights/identify.js';
import type { WeightsFile } from '../weights/read.js';

/** Facts that name an architecture. */
export type KnownModel = ModelFacts & { readonly architecture: ArchitectureSpec };

const missingText = (missing: readonly string[]) => missing.join(', ').replace(/, ([^,]*)$/, ' and $1');

/**
 * What a weights file says of its network, with what the caller adds where it says nothing. A normalisation that lies in the file as buffers
 * counts as said.
 * @throws BulwarkError WEIGHTS_INVALID, naming what is open and what the tensors look like
 */
export function architectureOf(file: WeightsFile, given: Partial<ModelFacts>): KnownModel {
  const facts = { ...(file.normalize && { normalize: file.normalize }), ...given, ...file.facts };
  const { architecture, inputShape, classes } = facts;
  if (architecture?.use === 'layers-model' && architecture['path'] === undefined)
    throw new BulwarkError(
      'WEIGHTS_INVALID',
      `${file.where} has the weights of a layers model of the user's own, but not its layers`,
      { hint: 'load its run, or an export of it (`bulwark export --to tfjs`), which have them' },
    );
  if (architecture && inputShape && classes !== undefined) {
    const normalize = architecture['normalize'] ?? facts.normalize;
    return { ...facts, inputShape, classes, architecture: { ...architecture, ...(normalize ? { normalize } : {}) } };
  }
  const missing = [
    ...(architecture ? [] : ['architecture']),
    ...(inputShape ? [] : ['inputShape']),
    ...(classes === undefined ? ['classes'] : []),
  ];
  const [best] = identify(file, inputShape ?? [32, 32, 3]);
  const like = best?.whole
    ? `; its tensors are those of ${JSON.stringify(best.architecture)} with ${best.classes} classes`
    : '';
  throw new BulwarkError('WEIGHTS_INVALID', `${file.where} does not say its ${missingText(missing)}${like}`, {
    hint: "give the option `facts`, for example { architecture: { use: 'resnet18' }, inputShape: [32, 32, 3], classes: 10, normalize: null }",
  });
}
