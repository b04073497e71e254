import { describe, expect, it } from '@jest/globals';
import { BulwarkError } from '../errors.js';
import { readSafetensors, writeSafetensors } from '../formats/index.js';
import { snapshotVersion, type Snapshot } from '../trainer/index.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint-file.js';

const snapshot: Snapshot = {
  state: {
    version: snapshotVersion,
    seed: 7,
    epoch: 2,
    step: 3,
    steps: 23,
    epochSums: { examples: 48, sums: { loss: 1.2345678901234567 } },
    history: [],
    learningRateScale: 1,
    rollbacks: 0,
    best: { epoch: 1, value: 0.5, metric: 'pgd-20' },
  },
  tensors: new Map([
    ['model/fc.weight', { shape: [2, 2], data: Float32Array.of(1, -0, 3e-45, Number.MAX_VALUE) }],
    ['optimizer/momentum/fc.weight', { shape: [2, 2], data: Float32Array.of(0.1, 0.2, 0.3, NaN) }],
  ]),
};

/** The same file with other metadata. */
const withMetadata = (change: (metadata: Record<string, string>) => Record<string, string>): Uint8Array => {
  const { tensors, metadata } = readSafetensors(encodeCheckpoint(snapshot));
  return writeSafetensors(tensors, change({ ...metadata }));
};

const codeOf = (bytes: Uint8Array) => {
  try {
    decodeCheckpoint(bytes, 'last.safetensors');
    return 'read';
  } catch (error) {
    return (error as BulwarkError).code;
  }
};

describe('a checkpoint file', () => {
  it('gives back the same bits', () => {
    const read = decodeCheckpoint(encodeCheckpoint(snapshot), 'last.safetensors');
    expect(read.state).toEqual(snapshot.state);
    for (const [name, { shape, data }] of snapshot.tensors) {
      const found = read.tensors.get(name)!;
      expect(found.shape).toEqual(shape);
      expect(Buffer.from(found.data.buffer)).toEqual(Buffer.from(data.buffer));
    }
  });

  it('is a plain safetensors file', () => {
    const { tensors, metadata } = readSafetensors(encodeCheckpoint(snapshot));
    expect([...tensors.keys()]).toEqual([...snapshot.tensors.keys()]);
    expect(metadata['bulwark']).toBe('checkpoint');
  });

  it('is refused when one number of the state, one weight or the checksum was changed', () => {
    expect(codeOf(withMetadata((m) => ({ ...m, state: m['state']!.replace('"step":3', '"step":4') })))).toBe(
      'CHECKPOINT_CORRUPT',
    );
    expect(
      codeOf(withMetadata((m) => ({ ...m, sha256: m['sha256']!.replace(/^./, (c) => (c === '0' ? '1' : '0')) }))),
    ).toBe('CHECKPOINT_CORRUPT');
    const bytes = encodeCheckpoint(snapshot);
    bytes[bytes.length - 1]! ^= 1;
    expect(codeOf(bytes)).toBe('CHECKPOINT_CORRUPT');
  });

  it('of a newer version is refused in words', () => {
    const newer = encodeCheckpoint({ ...snapshot, state: { ...snapshot.state, version: snapshotVersion + 1 } });
    expect(() => decodeCheckpoint(newer, 'last.safetensors')).toThrow(
      `version ${snapshotVersion + 1} is newer than this Bulwark, which reads ${snapshotVersion}`,
    );
  });

  it('of version 1 is read: it had no guard, so nothing was rolled back', () => {
    const { learningRateScale: _scale, rollbacks: _rollbacks, ...old } = snapshot.state;
    const read = decodeCheckpoint(
      encodeCheckpoint({ ...snapshot, state: { ...old, version: 1 } as Snapshot['state'] }),
      'last.safetensors',
    );
    expect(read.state).toEqual({ ...snapshot.state, version: snapshotVersion });
  });
});
