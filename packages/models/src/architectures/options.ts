import { number, type GraphBuilder, type ImageShape, type InputNormalisation, type NodeId } from '@bulwark/core';
import { z } from 'zod';

/** What every architecture needs to know about its input and output. */
export interface Size {
  /** `[height, width, channels]` of one image. */
  readonly inputShape: ImageShape;
  readonly classes: number;
}

/** Options that all model plugins share. */
export const commonOptions = {
  normalize: z
    .strictObject({
      mean: z.array(number()).min(1).describe('mean of each channel'),
      std: z
        .array(number({ above: 0 }))
        .min(1)
        .describe('standard deviation of each channel'),
    })
    .optional()
    .describe('subtract the mean and divide by the standard deviation inside the model; the paper does not normalise'),
  weights: z
    .string()
    .optional()
    .describe(
      'file to start from: .safetensors, its .index.json, or a PyTorch .pt or .pth; the default is random weights',
    ),
};

/** The node that an architecture starts from: the image, or the image normalised. */
export function normalised(builder: GraphBuilder, normalize?: InputNormalisation): NodeId {
  return normalize ? builder.normalize(builder.input, normalize) : builder.input;
}
