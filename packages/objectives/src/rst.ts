import { defineObjective } from '@bulwark/core';
import { createSt, examineSt, stOptions } from './st.js';
import { createTrades, examineTrades, tradesOptions } from './trades.js';

/** Step of the RST family: 0.007, not 2/255. Its ball has radius 0.031. */
const stepSize = 0.007;

/** Robust self-training: TRADES on labelled and pseudo-labelled images, with the order of passes of its authors' code. */
export const rst = defineObjective({
  name: 'rst',
  summary: 'Robust self-training: TRADES as the RST authors run it on labelled and pseudo-labelled images.',
  cite: 'Carmon et al., 2019, Algorithm 1; arXiv:1905.13736',
  options: tradesOptions({ passes: ['adversarial', 'natural'], stepSize }),
  examine: examineTrades,
  create: createTrades,
});

/** ST on RST data: a uniform start that is not clipped, and the adversarial pass before the natural one. */
export const stRst = defineObjective({
  name: 'st-rst',
  summary: 'Squeeze Training as its authors run it on labelled and pseudo-labelled images.',
  cite: 'Li et al., 2023, Table 4; arXiv:2205.11156',
  options: stOptions({
    passes: ['collaborative:batch', 'adversarial', 'natural'],
    start: 'unclipped-uniform',
    stepSize,
  }),
  examine: examineSt,
  create: createSt,
});
