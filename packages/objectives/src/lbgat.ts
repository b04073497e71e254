import { crossEntropy, defineObjective, discrepancy, passes as readPasses } from '@bulwark/core';
import * as tf from '@tensorflow/tfjs-core';
import { onDiscrepancyToNatural } from './inner/goals.js';
import { pgd } from './inner/pgd.js';
import { innerSection } from './inner/settings.js';
import { modelOption, secondModel } from './teachers.js';
import { betaOption, passesOption, regularizerTerm } from './terms/assemble.js';
import { between } from './terms/between.js';

const kl = discrepancy('kl');

/**
 * Learnable boundary guided adversarial training: a companion learns the images alone, and the model's logits at x' follow the
 * companion's at x. The squared error has a gradient on both sides, so it pulls the companion, too.
 */
export const lbgat = defineObjective({
  name: 'lbgat',
  summary: 'Logits at the adversarial point follow those of a second model that learns the images along with it.',
  cite: 'Cui et al., 2021, Eq. 5 and 6 (ICCV 2021); arXiv:2011.11164',
  options: {
    companion: modelOption('the second model, trained from scratch by the same optimizer'),
    beta: betaOption(0),
    inner: innerSection({ start: 'gaussian', mode: 'eval', stepSize: 0.007 }),
    passes: passesOption(['adversarial', 'natural', 'companion@natural']),
  },
  create({ companion: spec, beta, inner, passes }, services) {
    const companion = secondModel('lbgat: the companion', spec, services);
    const theirs = 'companion@natural';
    return {
      inner: pgd({ ...inner, role: 'adversarial', goal: onDiscrepancyToNatural(kl) }),
      passes: readPasses(passes),
      companions: new Map([['companion', companion]]),
      terms: [
        {
          ...{ name: 'guidance', weight: 1, over: 'all', needs: ['adversarial', theirs] },
          values: ({ logits }) =>
            tf.mean(tf.squaredDifference(logits('adversarial'), logits(theirs)), 1) as tf.Tensor1D,
        },
        {
          ...{ name: 'companion', weight: 1, over: 'labelled', needs: [theirs] },
          values: ({ logits, y }) => crossEntropy(logits(theirs), y),
        },
        regularizerTerm(between('natural', 'adversarial', kl), beta),
      ],
      dispose: () => companion.dispose(),
    };
  },
});
