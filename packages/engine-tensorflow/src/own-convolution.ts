import { createRequire } from 'node:module';
import type { NativeBinding } from './binding.js';
import { wrongOwnConvolution } from './numerics.js';
import { operatorsPath } from './package.js';

/** Sizes of a 3x3 convolution of stride 1 with one zero around. */
export interface ConvolutionSizes {
  readonly images: number;
  /** `[height, width, channels]` */
  readonly image: readonly [number, number, number];
  readonly filters: number;
}

/** The library has our own ops (native/operators.h). */
export interface OwnConvolution {
  /**
   * Are they faster than the library's convolution and its gradients?
   * @param options.kept a transformed filter serves many passes; otherwise each transforms it anew
   */
  worthwhile(sizes: ConvolutionSizes, options: { kept: boolean }): boolean;
}

/** Our own convolution, or why the library's serves. */
export interface OwnOrLack {
  readonly own?: OwnConvolution;
  readonly lack?: string;
}

/** The addon, as it presents itself. */
interface Addon {
  register(threads: number): string;
  worthwhile(images: number, height: number, width: number, channels: number, filters: number, kept: boolean): boolean;
}

/** Is it what our ops compute? */
export const isOwnKind = (geometry: { kernel: number; stride: number; padding: number }): boolean =>
  geometry.kernel === 3 && geometry.stride === 1 && geometry.padding === 1;

const nodeRequire = createRequire(import.meta.url);

/**
 * Brings our own ops to a library that is loaded already, and checks their numbers. For processors only.
 */
export function loadOwnConvolution(folder: string, binding: NativeBinding, threads: number): OwnOrLack {
  const path = operatorsPath(folder);
  if (path === undefined)
    return {
      lack: 'this installation is without our own ops of this version; `bulwark engine install tensorflow --force` compiles them',
    };
  try {
    const addon = nodeRequire(path) as Addon;
    const lack = addon.register(threads) || wrongOwnConvolution(binding);
    if (lack) return { lack };
    return {
      own: {
        worthwhile: ({ images, image: [height, width, channels], filters }, { kept }) =>
          addon.worthwhile(images, height, width, channels, filters, kept),
      },
    };
  } catch (error) {
    return { lack: error instanceof Error ? error.message.split('\n')[0]! : String(error) };
  }
}
