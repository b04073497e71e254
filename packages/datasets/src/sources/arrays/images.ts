import { createHash } from 'node:crypto';
import type { ImageReader, ImageShape } from '@bulwark/core';
import { corrupt } from '../../corrupt.js';
import type { ByteSource } from '../../formats/byte-source.js';
import type { NpyFile } from '../../formats/npy.js';

/** Sets of more bytes than this are read by index from their file, not held. */
export const heldBytes = 256 * 2 ** 20;

const bytesHint = 'save them as np.uint8 from 0 to 255: (x * 255).round().astype(np.uint8) if they are in [0, 1]';

function shapeOf({ shape, content }: NpyFile): ImageShape {
  const place = { file: content.file };
  if (shape.length < 3 || shape.length > 4)
    throw corrupt(
      place,
      `images have shape [${shape}]; expected [count, height, width] or [count, height, width, channels]`,
      {
        hint: 'save one array of images, the count first',
      },
    );
  const [count, height, width, channels = 1] = shape as [number, number, number, number?];
  if (channels > 4)
    throw corrupt(place, `images have shape [${shape}]; the channels come last`, {
      hint: 'transpose them to [count, height, width, channels]: x.transpose(0, 2, 3, 1)',
    });
  if (!(count > 0 && height > 0 && width > 0 && channels > 0))
    throw corrupt(place, `images have shape [${shape}]: there are none`, { hint: 'save at least one image' });
  return [height, width, channels];
}

/** A digest of the size and of some blocks, evenly spread: all of it could take minutes. */
function sampled(content: ByteSource): string {
  const hash = createHash('sha256').update(`${content.size} ${content.identity}`);
  const blocks = 256;
  const length = Math.min(4096, content.size);
  for (let i = 0; i < blocks; i++)
    hash.update(content.read(Math.floor(((content.size - length) * i) / (blocks - 1)), length));
  return hash.digest('hex');
}

/** Images of a file that does not fit into memory. */
function readerOf(content: ByteSource, size: number): ImageReader {
  return {
    count: content.size / size,
    identity: sampled(content),
    read: (index, target, at) => content.copy(target, { at, from: index * size, count: size }),
  };
}

/** The images of an array: held if they are small (at most `held` bytes) or need to be converted, else read by index. Booleans become black and white. */
export function imagesOf(array: NpyFile, held = heldBytes): { images: Uint8Array | ImageReader; shape: ImageShape } {
  const shape = shapeOf(array);
  const { content, type } = array;
  if (type !== 'u1' && type !== 'b1')
    throw corrupt({ file: content.file }, `images are ${type}; expected bytes (uint8, 0 to 255)`, { hint: bytesHint });
  const size = shape[0] * shape[1] * shape[2];
  if (type === 'u1' && array.isPlain && !content.inMemory && content.size > held)
    return { images: readerOf(content, size), shape };
  const images = array.read().data as Uint8Array;
  return { images: type === 'b1' ? images.map((value) => (value === 0 ? 0 : 255)) : images, shape };
}
