/** Reads the arguments of pickle operations. Every read is checked against the end of the file before anything is made. */
export class PickleReader {
  position = 0;
  readonly #view: DataView;

  constructor(readonly source: Uint8Array) {
    this.#view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  }

  #take(count: number): number {
    const from = this.position;
    if (count > this.source.length - from)
      throw new Error(`${count} bytes are needed at byte ${from}, ${this.source.length - from} are left`);
    this.position = from + count;
    return from;
  }

  skip(count: number): void {
    this.#take(count);
  }

  byte(): number {
    return this.source[this.#take(1)]!;
  }

  /** Unsigned little-endian integer of 2, 4 or 8 bytes. */
  uint(size: 2 | 4 | 8): number {
    const from = this.#take(size);
    if (size === 2) return this.#view.getUint16(from, true);
    return size === 4 ? this.#view.getUint32(from, true) : Number(this.#view.getBigUint64(from, true));
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** A view of the file, not a copy. */
  bytes(count: number): Uint8Array {
    const from = this.#take(count);
    return this.source.subarray(from, from + count);
  }

  text(count: number): string {
    return new TextDecoder('utf-8', { fatal: true }).decode(this.bytes(count));
  }

  latin1(count: number): string {
    return Buffer.from(this.bytes(count)).toString('latin1');
  }

  line(): string {
    const end = this.source.indexOf(0x0a, this.position);
    if (end < 0) throw new Error(`a line at byte ${this.position} has no end`);
    const text = this.latin1(end - this.position);
    this.skip(1);
    return text;
  }

  /** Text of protocol 0: latin1 with `\u` escapes. */
  escapedUnicode(): string {
    return this.line().replace(
      /\\u([\da-f]{4})|\\U(000[\da-f]{5}|0010[\da-f]{4})/gi,
      (_, short?: string, long?: string) => String.fromCodePoint(parseInt(short ?? long!, 16)),
    );
  }

  /** A quoted string of protocol 0, as Python's `repr` writes it. */
  quoted(): string {
    const [, , text] = /^(['"])(.*)\1$/.exec(this.line()) ?? [];
    if (text === undefined) throw new Error('a string without quotes');
    const named: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
    return text.replace(/\\(?:x([\da-f]{2})|(.))/gi, (_, hex?: string, letter?: string) =>
      hex === undefined ? (named[letter!] ?? letter!) : String.fromCharCode(parseInt(hex, 16)),
    );
  }

  /** Decimal integer; beyond 2^53 a bigint. */
  integer(text: string): number | bigint {
    if (!/^\s*-?\d{1,1000}\s*$/.test(text)) throw new Error('a number that is not an integer');
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : BigInt(text.trim());
  }

  decimal(text: string): number {
    const value = Number(text.replace(/^(-?)inf$/, '$1Infinity'));
    if (Number.isNaN(value) && text !== 'nan') throw new Error('a number that is not decimal');
    return value;
  }

  /** Little-endian two's complement of any length. */
  long(count: number): number | bigint {
    if (count > 1024) throw new Error(`an integer of ${count} bytes`);
    const digits = this.bytes(count);
    let value = 0n;
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(digits[i]!);
    if (count > 0 && digits[count - 1]! & 0x80) value -= 1n << BigInt(8 * count);
    return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }
}
