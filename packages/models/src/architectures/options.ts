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
    .refine(({ mean, std }) => [...mean, ...std].every((value) => value <= 1), {
      error: ({ input }) => {
        const { mean, std } = input as { mean: number[]; std: number[] };
        const scaled = (values: readonly number[]) =>
          values
            .map((value) => (values.some((other) => other > 1) ? Number((value / 255).toPrecision(5)) : value))
            .join(', ');
        return `images are in [0, 1], these are numbers for [0, 255]: write { mean: [${scaled(mean)}], std: [${scaled(std)}] }`;
      },
    })
    .optional()
    .describe('subtract the mean and divide by the standard deviation inside the model; the paper does not normalise'),
  weights: z
    .union([
      z.string(),
      z.strictObject({
        file: z.string().describe('the file'),
        from: z
          .string()
          .optional()
          .describe('where in the file the network is, if several fit: state_dict_ema, model, ...'),
      }),
    ])
    .optional()
    .describe(
      'file to start from: .safetensors, its .index.json, a PyTorch .pt or .pth, a checkpoint of a run, or the folder of a run; the default is random weights',
    ),
};

/** The option `weights` as a file and a place in it. */
export type WeightsOption = string | { readonly file: string; readonly from?: string | undefined };

/** The node that an architecture starts from: the image, or the image normalised. */
export function normalised(builder: GraphBuilder, normalize?: InputNormalisation): NodeId {
  return normalize ? builder.normalize(builder.input, normalize) : builder.input;
}
