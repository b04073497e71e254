import {
  passes,
  type Classification,
  type InnerOptimizer,
  type Objective,
  type PassText,
  type Regularizer,
  type Term,
} from '@bulwark/core';
import { number } from '@bulwark/core';
import { z } from 'zod';

/** What a training method is made of, in the words of its paper. */
export interface Parts {
  readonly inner: InnerOptimizer;
  readonly classification: Classification;
  readonly regularizer?: Regularizer;
  /** Weight of the regularizer. */
  readonly beta?: number;
  /** Outer passes in the order in which they update running statistics. */
  readonly passes: readonly PassText[];
  /** Further terms. */
  readonly extra?: readonly Term[];
}

/** A classification term with weight 1, over the examples with a label. */
export const classificationTerm = ({ needs, loss }: Classification): Term => ({
  name: 'classification',
  weight: 1,
  needs,
  over: 'labelled',
  values: loss,
});

/** A regularizer with its weight, over all examples. */
export const regularizerTerm = ({ needs, penalty }: Regularizer, beta: number): Term => ({
  name: 'regularizer',
  weight: beta,
  needs,
  over: 'all',
  values: penalty,
});

/** Bundles the parts: `mean(classification) + beta * mean(regularizer)`. */
export function assemble({ inner, classification, regularizer, beta = 1, extra = [], ...rest }: Parts): Objective {
  return {
    inner,
    passes: passes(rest.passes),
    terms: [classificationTerm(classification), ...(regularizer ? [regularizerTerm(regularizer, beta)] : []), ...extra],
  };
}

/** The option `passes` with a method's default. */
export const passesOption = (defaults: PassText[]) =>
  z
    .array(z.string())
    .default(defaults)
    .describe('outer passes in the order in which they update running statistics; role:batch leaves them alone');

/** The option `beta` with a method's default. */
export const betaOption = (fallback: number) =>
  number({ min: 0 }).default(fallback).describe('weight of the regularizer');
