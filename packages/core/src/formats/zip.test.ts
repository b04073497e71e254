import { crc32, deflateRawSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { openZip } from './zip.js';

interface Part {
  readonly name: string;
  readonly content: Uint8Array;
  readonly deflate?: boolean;
  /** What the archive claims, where it lies. */
  readonly claimed?: number;
  readonly checksum?: number;
}

/** A zip archive, made by hand so that it can lie. */
function zip(parts: readonly Part[]): Uint8Array {
  const chunks: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, deflate, claimed = content.length, checksum = crc32(content) } of parts) {
    const packed = deflate ? deflateRawSync(content) : content;
    const field = Buffer.alloc(16);
    field.writeUInt16LE(deflate ? 8 : 0, 0);
    field.writeUInt32LE(checksum, 4 + 2);
    const sizes = Buffer.alloc(8);
    sizes.writeUInt32LE(packed.length, 0);
    sizes.writeUInt32LE(claimed, 4);
    const names = Buffer.from(name);
    const shared = Buffer.concat([field.subarray(0, 2), Buffer.alloc(4), field.subarray(6, 10), sizes]);
    const lengths = Buffer.alloc(4);
    lengths.writeUInt16LE(names.length, 0);
    const start = Buffer.alloc(4);
    start.writeUInt32LE(offset, 0);
    const local = Buffer.concat([Buffer.from('PK\x03\x04\x14\0\0\0', 'latin1'), shared, lengths, names, packed]);
    directory.push(
      Buffer.concat([
        Buffer.from('PK\x01\x02\x14\0\x14\0\0\0', 'latin1'),
        shared,
        lengths,
        Buffer.alloc(10),
        start,
        names,
      ]),
    );
    chunks.push(local);
    offset += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return new Uint8Array(Buffer.concat([...chunks, list, end]));
}
const refusal = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`;
  }
  return 'accepted';
};
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
const hello = Buffer.from('hello '.repeat(20));

describe('zip', () => {
  it('reads stored and deflated entries', () => {
    const archive = openZip(
      zip([
        { name: 'a', content: hello },
        { name: 'b/c', content: hello, deflate: true },
      ]),
    );
    expect(archive.names).toEqual(['a', 'b/c']);
    expect([text(archive.read('a')), text(archive.read('b/c'))]).toEqual([text(hello), text(hello)]);
  });

  it('refuses a bomb by what it claims, and one that claims less than it unpacks to', () => {
    const zeros = new Uint8Array(20 * 2 ** 20);
    expect(refusal(() => openZip(zip([{ name: 'a', content: zeros, deflate: true }])))).toMatch(
      /refused: .* claim to unpack/,
    );
    const liar = zip([{ name: 'a', content: zeros, deflate: true, claimed: 1000 }]);
    expect(refusal(() => openZip(liar).read('a'))).toMatch(/WEIGHTS_INVALID .*more than the 1000 bytes/);
  });

  it('refuses a wrong checksum, a missing entry and anything cut off', () => {
    expect(refusal(() => openZip(zip([{ name: 'a', content: hello, checksum: 1 }])).read('a'))).toMatch(/checksum/);
    expect(refusal(() => openZip(zip([{ name: 'a', content: hello }])).read('b'))).toMatch(/no entry "b"/);
    expect(refusal(() => openZip(zip([{ name: 'a', content: hello }]).slice(0, -10)))).toMatch(/end record/);
    expect(refusal(() => openZip(zip([{ name: 'a', content: hello }]).slice(40)))).toMatch(/cut off/);
    expect(refusal(() => openZip(new Uint8Array(3)))).toMatch(/end record/);
  });

  it('answers any bytes with content or WEIGHTS_INVALID', () => {
    const good = zip([
      { name: 'a', content: hello },
      { name: 'b', content: hello, deflate: true },
    ]);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bad = good.slice();
        bad[at] = value;
        const answer = refusal(() => {
          const archive = openZip(bad);
          archive.names.forEach((name) => archive.read(name));
        });
        expect(answer).toMatch(/^(accepted|WEIGHTS_INVALID)/);
      }),
      { numRuns: 1000 },
    );
  });
});
