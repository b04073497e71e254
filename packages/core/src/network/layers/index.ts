import { add } from './add.js';
import { batchNorm } from './batch-norm.js';
import { conv } from './conv.js';
import { flatten } from './flatten.js';
import { globalAveragePool } from './global-average-pool.js';
import { input } from './input.js';
import { linear } from './linear.js';
import { maxPool } from './max-pool.js';
import { normalize } from './normalize.js';
import { pad } from './pad.js';
import { relu } from './relu.js';
import { silu } from './silu.js';

/** All layers, under the names of the graph builder's methods. */
export const layers = {
  input,
  normalize,
  conv,
  batchNorm,
  relu,
  silu,
  add,
  pad,
  maxPool,
  globalAveragePool,
  flatten,
  linear,
};
