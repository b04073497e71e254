import { add } from './add.js';
import { batchNorm } from './batch-norm.js';
import { conv } from './conv.js';
import { cosine } from './cosine.js';
import { flatten } from './flatten.js';
import { globalAveragePool } from './global-average-pool.js';
import { input } from './input.js';
import { linear } from './linear.js';
import { maxPool } from './max-pool.js';
import { meanSparse } from './mean-sparse.js';
import { normalize } from './normalize.js';
import { pad } from './pad.js';
import { psSilu } from './ps-silu.js';
import { relu } from './relu.js';
import { silu } from './silu.js';
import { squeezeExcitation } from './squeeze-excitation.js';
import { standardize } from './standardize.js';

/** All layers, under the names of the graph builder's methods. */
export const layers = {
  input,
  normalize,
  standardize,
  conv,
  batchNorm,
  relu,
  silu,
  psSilu,
  meanSparse,
  squeezeExcitation,
  add,
  pad,
  maxPool,
  globalAveragePool,
  flatten,
  linear,
  cosine,
};
