/** Weights of red, green and blue in grey, as Pillow's mode L has them (ITU-R 601-2). */
const luma = [0.299, 0.587, 0.114] as const;

/**
 * Pixels with another number of channels: alpha is dropped, colour becomes grey, grey becomes colour.
 * @param data `[pixels, from]`
 * @returns `[pixels, to]`
 */
export function toChannels(data: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return data;
  const count = data.length / from;
  const result = new Float32Array(count * to);
  for (let i = 0; i < count; i++) {
    const at = (c: number) => data[i * from + Math.min(c, from - 1)]!;
    const grey = to === 1 && from >= 3;
    for (let c = 0; c < to; c++)
      result[i * to + c] = grey ? luma.reduce((sum, share, k) => sum + share * at(k), 0) : at(c);
  }
  return result;
}
