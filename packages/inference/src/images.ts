import * as tf from '@tensorflow/tfjs-core';
import { BulwarkError, type ImageShape } from '@bulwark/core';
import { decodeImage } from '@bulwark/datasets';
import { isImageFile } from './image-files.js';
import { toChannels } from './channels.js';

/** An image that something else decoded: `ImageData` of a canvas, frames of a camera. */
export interface DecodedImage {
  /** Row by row, channels last: bytes from 0 to 255, or float32 in [0, 1]. */
  readonly data: Uint8Array | Uint8ClampedArray | Float32Array;
  readonly width: number;
  readonly height: number;
}

/** What `sharp(...).raw().toBuffer({ resolveWithObject: true })` gives. */
export interface SharpImage {
  readonly data: Uint8Array;
  readonly info: { readonly width: number; readonly height: number };
}

/**
 * One image, or several in one array or tensor:
 * - the bytes of an image file (PNG, JPEG, WebP, BMP, PPM) as `Uint8Array`, `Buffer` or `ArrayBuffer`
 * - pixels `[h, w, c]`, one image after the other: `Uint8Array`, `Uint8ClampedArray` from 0 to 255, `Float32Array` in [0, 1]
 * - a tensor `[h, w, c]` or `[n, h, w, c]`: float32 in [0, 1] or int32 from 0 to 255; it stays the caller's
 * - a decoded image with its width and height, or as sharp gives it
 *
 * A `Uint8Array` that begins as an image file is one; give `Uint8ClampedArray` for pixels that must never be taken for one.
 */
export type ImageInput =
  ArrayBuffer | SharpImage | Uint8Array | Uint8ClampedArray | Float32Array | DecodedImage | tf.Tensor3D | tf.Tensor4D;

const invalid = (where: string, what: string, hint: string) =>
  new BulwarkError('BATCH_INVALID', `${where}: ${what}`, { hint });

const nameOf = (value: unknown): string => {
  if (value === null || typeof value !== 'object') return `${typeof value} ${JSON.stringify(value)?.slice(0, 40)}`;
  return value.constructor?.name ?? 'object';
};

const sized = (shape: ImageShape) =>
  `${shape[1]}x${shape[0]} pixels with ${shape[2]} ${shape[2] === 1 ? 'channel' : 'channels'}`;

/** Bytes become values of [0, 1]; values must be there already. */
function unit(data: ArrayLike<number>, isBytes: boolean, where: string): Float32Array {
  if (isBytes) return Float32Array.from(data, (byte) => byte / 255);
  const bad = Array.prototype.find.call(data, (value: number) => !(value >= 0 && value <= 1)) as number | undefined;
  if (bad === undefined) return Float32Array.from(data);
  throw invalid(
    where,
    `a pixel is ${bad}; allowed is [0, 1]`,
    'divide bytes by 255, or give them as bytes; do not normalise: the model does',
  );
}

function flat(data: Uint8Array | Uint8ClampedArray | Float32Array, shape: ImageShape, where: string): Float32Array {
  const size = shape[0] * shape[1] * shape[2];
  if (data.length === 0 || data.length % size !== 0)
    throw invalid(
      where,
      `${data.length} ${data instanceof Float32Array ? 'values' : 'bytes'} are neither an image file (PNG, JPEG, WebP, BMP, PPM) nor images of ${sized(shape)} (${size} each)`,
      'give an image file, or pixels row by row with the channels last',
    );
  return unit(data, !(data instanceof Float32Array), where);
}

function decoded({ data, width, height }: DecodedImage, shape: ImageShape, where: string): Float32Array {
  const channels = data.length / (width * height);
  if (width !== shape[1] || height !== shape[0])
    throw invalid(
      where,
      `an image of ${width}x${height} pixels; the model takes ${sized(shape)}`,
      `bring it to ${shape[1]}x${shape[0]} first`,
    );
  if (![1, 3, 4].includes(channels) && channels !== shape[2])
    throw invalid(
      where,
      `${data.length} numbers for ${width}x${height} pixels`,
      'give 1, 3 or 4 numbers for each pixel',
    );
  return toChannels(unit(data, !(data instanceof Float32Array), where), channels, shape[2]);
}

function file(bytes: Uint8Array, shape: ImageShape, where: string): Float32Array {
  const [, , channels] = shape;
  if (channels !== 1 && channels !== 3)
    throw invalid(where, `the model takes ${channels} channels, image files have 1 or 3`, 'give pixels or a tensor');
  const { data, shape: found } = decodeImage(bytes, { file: where, channels });
  return decoded({ data, width: found[1], height: found[0] }, shape, where);
}

async function ofTensor(tensor: tf.Tensor, shape: ImageShape, where: string): Promise<Float32Array> {
  const own = tensor.shape.slice(-3);
  if (
    (tensor.rank !== 3 && tensor.rank !== 4) ||
    own.join() !== shape.join() ||
    !['float32', 'int32'].includes(tensor.dtype)
  )
    throw invalid(
      where,
      `a tensor ${tensor.dtype} [${tensor.shape}]; the model takes [${shape}] or [n,${shape}]`,
      'give float32 in [0, 1] or int32 from 0 to 255, channels last',
    );
  return unit(await tensor.data(), tensor.dtype === 'int32', where);
}

/**
 * The pixels of what a caller gave as images, one after the other, float32 in [0, 1].
 * @throws BulwarkError BATCH_INVALID for what is no image of the model's, DATA_CORRUPT for a file that cannot be decoded
 */
export async function pixelsOf(images: ImageInput | readonly ImageInput[], shape: ImageShape): Promise<Float32Array> {
  if (!Array.isArray(images)) return pixelsOfOne(images as ImageInput, shape, 'the image');
  const parts: Float32Array[] = [];
  for (const [i, image] of (images as readonly ImageInput[]).entries())
    parts.push(await pixelsOfOne(image, shape, `image ${i}`));
  const all = new Float32Array(parts.reduce((size, { length }) => size + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const isDecoded = (image: unknown): image is DecodedImage => {
  const { data, width, height } = Object(image) as Partial<DecodedImage>;
  return ArrayBuffer.isView(data) && !(data instanceof DataView) && Number(width) > 0 && Number(height) > 0;
};

async function pixelsOfOne(image: ImageInput, shape: ImageShape, where: string): Promise<Float32Array> {
  if (image instanceof tf.Tensor) return ofTensor(image, shape, where);
  if (image instanceof ArrayBuffer) return pixelsOfOne(new Uint8Array(image), shape, where);
  if (image instanceof Uint8Array && isImageFile(image)) return file(image, shape, where);
  if (image instanceof Uint8Array || image instanceof Uint8ClampedArray || image instanceof Float32Array)
    return flat(image, shape, where);
  const given: unknown = 'info' in Object(image) ? { ...image, ...(image as SharpImage).info } : image;
  if (isDecoded(given)) return decoded(given, shape, where);
  throw invalid(
    where,
    `${nameOf(image)} is no image`,
    'give bytes of an image file, pixels, { data, width, height }, or a tensor',
  );
}
