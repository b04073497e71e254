import { BulwarkError, type Classifier } from '@bulwark/core';

/**
 * Refuses to write what a classifier computes where the file would lack functions that are around its network.
 * @throws BulwarkError MODEL_INVALID
 */
export function requireWhole({ name, surrounded }: Classifier): void {
  if (surrounded)
    throw new BulwarkError(
      'MODEL_INVALID',
      `${name} has functions around its network, which no file of a model holds`,
      {
        hint: 'export the model within, and apply the functions where it is used; or export the weights, --to safetensors',
      },
    );
}
