import { BulwarkError } from '../errors.js';
import type { Classifier } from '../classifier/index.js';
import type { Attack } from '../hooks/index.js';

/** The model whose examples are shown to another. */
export interface TransferSource {
  readonly model: Classifier;
  /** For labels: the name of its run or file. */
  readonly name: string;
  /** `fingerprintModel` of it: results that used another source are not continued. */
  readonly fingerprint: string;
}

/**
 * The attack, made on another model: whoever runs it judges its candidates by the model in the context (Papernot et al., 2016;
 * arXiv:1605.07277). Images that the source classifies wrongly come back as attacks return them, mostly unchanged.
 * @throws BulwarkError ATTACK_INVALID, in `run`, where the two models take other images or have other classes
 */
export function transferred(attack: Attack, source: TransferSource): Attack {
  const { model, name, fingerprint } = source;
  const fitting = attack.forClasses?.(model.classes) ?? attack;
  // it fits the source's classes already
  const { forClasses: _forClasses, stages, ...rest } = fitting;
  return {
    ...rest,
    label: `${fitting.label}-from-${name}`,
    settings: { ...fitting.settings, from: fingerprint },
    ...(stages && { stages: stages.map((stage) => transferred(stage, source)) }),
    run(images, labels, context) {
      const { inputShape, classes } = context.model;
      if (inputShape.join() !== model.inputShape.join() || classes !== model.classes)
        throw new BulwarkError(
          'ATTACK_INVALID',
          `examples of ${name} are ${model.inputShape.join('x')} of ${model.classes} classes; the model takes ${inputShape.join('x')} of ${classes}`,
          { hint: 'transfer from a model of the same data' },
        );
      return fitting.run(images, labels, { ...context, model });
    },
  };
}
