import { corrupt } from '../corrupt.js';

const pixels = 32 * 32;

/** `[channels][pixels]` planes to `[pixels][channels]`, written to `target` at `offset`. */
export function planesToPixels(
  planes: Uint8Array,
  target: Uint8Array,
  options: { offset: number; count: number; channels?: number },
): void {
  const { offset, count, channels = 3 } = options;
  for (let c = 0; c < channels; c++)
    for (let i = 0, from = c * count, to = offset + c; i < count; i++, from++, to += channels)
      target[to] = planes[from]!;
}

/** What a size says of a file whose records are those of the other CIFAR. */
function otherRecords(size: number, record: number): string {
  const [name, other] = record === 1 + 3 * pixels ? ['CIFAR-100', record + 1] : ['CIFAR-10', record - 1];
  return size % record !== 0 && size % other === 0 ? `; its size is that of ${size / other} records of ${name}` : '';
}

/**
 * A file of the binary version of CIFAR: records of `labelBytes` label bytes (CIFAR-100: coarse, fine; the last one counts) and three
 * planes of 32x32. Appends the images to `target` from image `first` on.
 */
export function readCifarBinary(
  bytes: Uint8Array,
  target: { images: Uint8Array; labels: Int32Array; first: number },
  options: { file: string; labelBytes: number; classes: number; count: number },
): void {
  const { file, labelBytes, classes, count } = options;
  const record = labelBytes + 3 * pixels;
  if (bytes.length !== count * record)
    throw corrupt(
      { file, offset: Math.min(bytes.length, count * record) },
      `${bytes.length} bytes; expected ${count * record} (${count} records of ${record})${otherRecords(bytes.length, record)}`,
    );
  for (let i = 0; i < count; i++) {
    const start = i * record;
    const label = bytes[start + labelBytes - 1]!;
    if (label >= classes)
      throw corrupt(
        { file, offset: start + labelBytes - 1 },
        `label ${label} of record ${i} is outside [0, ${classes})`,
      );
    target.labels[target.first + i] = label;
    planesToPixels(bytes.subarray(start + labelBytes, start + record), target.images, {
      offset: (target.first + i) * 3 * pixels,
      count: pixels,
    });
  }
}
