import { BulwarkError, type ImageSet, type PluginServices } from '@bulwark/core';

/**
 * Images that mean nothing, made when they are read: so many, of this shape and with labels of so many classes, for whoever wants to
 * know what a training on the real ones costs.
 */
export function standIn({ name, shape, classes, count }: Pick<ImageSet, 'shape'> & StandInFacts): ImageSet {
  const size = shape[0] * shape[1] * shape[2];
  return {
    images: {
      count,
      identity: `stand-in for ${name}`,
      read(index, target, at) {
        // unlike each other and within themselves, as far as a kernel can tell
        for (let i = 0; i < size; i++) target[at + i] = 97 * index + 31 * i + ((i * i) >> 4);
      },
    },
    labels: Int32Array.from({ length: count }, (_, i) => i % classes),
    shape,
  };
}

interface StandInFacts {
  /** Of the data set that is not there. */
  readonly name: string;
  readonly classes: number;
  readonly count: number;
}

/** Whether a data set that cannot be read is to be replaced, because its files are not there and only costs are wanted; the user hears of it. */
export function mayStandIn(error: unknown, services: PluginServices): boolean {
  if (!services.standIns || !(error instanceof BulwarkError) || error.code !== 'DATA_MISSING') return false;
  services.warn(`${error.message}: costs are measured on images of the same shape that mean nothing`);
  return true;
}
