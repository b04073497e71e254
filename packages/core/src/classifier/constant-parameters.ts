let depth = 0;

/**
 * Says that no gradient computed in `work` is one in a classifier's parameters, only in its images: engines that compile
 * whole passes may do so here. Without it gradients are right all the same. `work` must not be asynchronous.
 */
export function withConstantParameters<T>(work: () => T): T {
  depth++;
  try {
    return work();
  } finally {
    depth--;
  }
}

/** Whether all parameters are constants to the gradients that are being computed. */
export const parametersAreConstant = (): boolean => depth > 0;
