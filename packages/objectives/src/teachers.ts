import { BulwarkError, plugin, type Classifier, type PluginServices, type PluginSpec } from '@bulwark/core';

/** The option that names a second model of an objective. */
export const modelOption = (meaning: string) => plugin('model').describe(meaning);

/**
 * Makes the second model of an objective, and refuses one that does not fit to the data.
 * @param part which part of which objective it is, for messages: "ard: the teacher"
 * @throws BulwarkError MODEL_INVALID
 */
export function secondModel(
  part: string,
  spec: PluginSpec,
  services: Pick<PluginServices, 'make' | 'inputShape' | 'classNames'>,
): Classifier {
  const fail = (what: string, hint: string): never => {
    throw new BulwarkError('MODEL_INVALID', `${part} ${spec.use} ${what}`, { hint });
  };
  const model = services.make('model', spec);
  if (model instanceof Promise) return fail('is read asynchronously', 'use an architecture with weights');
  const { inputShape, classNames } = services;
  const hint = 'choose a model of this data set, or one that was trained on it';
  if (model.inputShape.join() !== inputShape.join()) {
    model.dispose();
    return fail(`takes images of shape [${model.inputShape}]; those of the data are [${inputShape}]`, hint);
  }
  if (model.classes !== classNames.length) {
    model.dispose();
    return fail(`has ${model.classes} classes; the data have ${classNames.length}`, hint);
  }
  return model;
}
