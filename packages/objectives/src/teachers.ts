import { BulwarkError, plugin, type Classifier, type PluginServices, type PluginSpec } from '@bulwark/core';

/** The option that names a second model of an objective. */
export const modelOption = (meaning: string) => plugin('model').describe(meaning);

/** Which part of which objective a model is: `{ objective: 'ard', part: 'teacher' }`. */
interface Place {
  readonly objective: string;
  readonly part: string;
}

type Services = Pick<PluginServices, 'make' | 'inputShape' | 'classNames' | 'warn'>;

/** Makes a model; what is wrong with it or its weights is said of its part. */
function made({ objective, part }: Place, spec: PluginSpec, services: Services) {
  try {
    return services.make('model', spec);
  } catch (cause) {
    if (!(cause instanceof BulwarkError)) throw cause;
    // hints about weights speak of the section of the run's own model
    const hint = cause.hint?.replaceAll(/\bmodel\.(?=\w)/g, `${part}.`);
    throw new BulwarkError(cause.code, `${objective}: the ${part}: ${cause.message}`, { hint, cause });
  }
}

/**
 * Makes the second model of an objective, and refuses one that does not fit to the data.
 * @throws BulwarkError MODEL_INVALID; WEIGHTS_INVALID and others of its weights
 */
export function secondModel(place: Place, spec: PluginSpec, services: Services): Classifier {
  const fail = (what: string, hint: string): never => {
    throw new BulwarkError('MODEL_INVALID', `${place.objective}: the ${place.part} ${spec.use} ${what}`, { hint });
  };
  const model = made(place, spec, services);
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

/** A second model that is not trained: one of Bulwark's architectures without weights knows nothing, which the user hears of. */
export function trainedModel(place: Place, spec: PluginSpec, services: Services): Classifier {
  const model = secondModel(place, spec, services);
  if (model.architecture && spec['weights'] === undefined)
    services.warn(
      `${place.objective}: the ${place.part} ${spec.use} has no weights, so it knows nothing; name a file or a run: ${place.part}: { use: ${spec.use}, weights: runs/... }`,
    );
  return model;
}
