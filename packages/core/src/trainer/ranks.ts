import { broadcastBytes, type Collective } from '../collective/index.js';
import type { CheckpointStore, Snapshot, TrainingState } from './snapshot.js';

/** A snapshot as bytes: a header of JSON, then the tensors. */
function packed({ state, tensors, facts }: Snapshot): Uint8Array {
  const shapes = [...tensors].map(([name, { shape }]) => ({ name, shape }));
  const header = new TextEncoder().encode(JSON.stringify({ state, facts, shapes }));
  const sizes = [...tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
  const bytes = new Uint8Array(4 + header.length + sizes);
  new DataView(bytes.buffer).setUint32(0, header.length);
  bytes.set(header, 4);
  let at = 4 + header.length;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function unpacked(bytes: Uint8Array): Snapshot {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const { state, facts, shapes } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as {
    state: TrainingState;
    facts?: Snapshot['facts'];
    shapes: { name: string; shape: number[] }[];
  };
  let at = 4 + length;
  const tensors = new Map(
    shapes.map(({ name, shape }) => {
      const to = at + 4 * shape.reduce((size, n) => size * n, 1);
      const data = new Float32Array(bytes.slice(at, to).buffer);
      at = to;
      return [name, { shape, data }] as const;
    }),
  );
  return { state, tensors, ...(facts && { facts }) };
}

/** Rank 0's snapshot on all ranks, undefined where it has none. Without a collective, the own one. */
export function snapshotOfFirst(
  collective: Collective | undefined,
  snapshot: Snapshot | undefined,
): Snapshot | undefined {
  if (!collective) return snapshot;
  const bytes = broadcastBytes(collective, snapshot ? packed(snapshot) : new Uint8Array());
  if (collective.rank === 0 || bytes.length === 0) return snapshot;
  return unpacked(bytes);
}

/** A store of which only rank 0's keeps anything; all load from it, together. */
export function storeOfFirst(
  collective: Collective | undefined,
  store: CheckpointStore | undefined,
): CheckpointStore | undefined {
  if (!collective || !store) return store;
  return {
    save: (kinds, snapshot) => void (collective.rank === 0 && store.save(kinds, snapshot)),
    load: (kind) => snapshotOfFirst(collective, collective.rank === 0 ? store.load(kind) : undefined)!,
  };
}
