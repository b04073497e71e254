/** Encodings by the bytes that they begin with: a byte-order mark, or a letter and its zero byte. */
const marks: readonly [start: readonly (number | 'letter')[], encoding: string][] = [
  [[0xef, 0xbb, 0xbf], 'utf-8'],
  [[0xff, 0xfe], 'utf-16le'],
  [[0xfe, 0xff], 'utf-16be'],
  [['letter', 0], 'utf-16le'],
  [[0, 'letter'], 'utf-16be'],
];

/**
 * The text of a file as editors of all systems save it: UTF-8 or UTF-16, with or without a byte-order mark, which is left out.
 * @throws Error, if the bytes are no text in these encodings
 */
export function textOf(bytes: Uint8Array): string {
  const begins = (start: readonly (number | 'letter')[]) =>
    bytes.length >= start.length &&
    start.every((byte, i) => (byte === 'letter' ? bytes[i]! > 0 && bytes[i]! < 128 : bytes[i] === byte));
  const encoding = marks.find(([start]) => begins(start))?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new Error('it is neither UTF-8 nor UTF-16 text: save it as UTF-8', { cause });
  }
}
