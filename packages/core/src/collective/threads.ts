import { BulwarkError } from '../errors.js';
import type { Collective } from './collective.js';

/** What threads of one process share to act as ranks; can be sent to a worker. */
export interface SharedRanks {
  readonly size: number;
  /** Largest number of bytes that one rank may give at once. */
  readonly capacity: number;
  /** How many have come; which meeting it is; then each rank's number of bytes. */
  readonly control: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
}

/** Makes room for so many ranks. */
export const sharedRanks = (size: number, capacity = 1 << 20): SharedRanks => ({
  size,
  capacity,
  control: new SharedArrayBuffer(4 * (2 + size)),
  data: new SharedArrayBuffer(size * capacity),
});

/**
 * One of several ranks that are threads of one process, each with an engine of its own, which waits `seconds` for the others: for tests of
 * what is trained by several.
 */
export function threadCollective(
  shared: SharedRanks,
  { rank, seconds = 60 }: { rank: number; seconds?: number },
): Collective {
  const { size, capacity } = shared;
  const control = new Int32Array(shared.control);
  const data = new Uint8Array(shared.data);
  const barrier = () => {
    const meeting = Atomics.load(control, 1);
    if (Atomics.add(control, 0, 1) === size - 1) {
      Atomics.store(control, 0, 0);
      Atomics.add(control, 1, 1);
      Atomics.notify(control, 1);
      return;
    }
    while (Atomics.load(control, 1) === meeting)
      if (Atomics.wait(control, 1, meeting, 1000 * seconds) === 'timed-out')
        throw new BulwarkError('RANK_LOST', `rank ${rank} waited ${seconds} s for the others`);
  };
  /** Shows own bytes; `read` sees those of any rank. */
  const meet = <T>(bytes: Uint8Array, read: (of: (other: number) => Uint8Array) => T): T => {
    if (bytes.length > capacity) throw new RangeError(`${bytes.length} bytes; these threads share ${capacity} each`);
    data.set(bytes, rank * capacity);
    Atomics.store(control, 2 + rank, bytes.length);
    barrier();
    const found = read((other) => data.slice(other * capacity, other * capacity + Atomics.load(control, 2 + other)));
    barrier();
    return found;
  };
  const ranks = Array.from({ length: size }, (_, other) => other);
  const allGather = (values: Float32Array) =>
    meet(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), (of) =>
      ranks.map((other) => new Float32Array(of(other).buffer)),
    );
  return {
    rank,
    size,
    seconds,
    allGather,
    allReduce(values) {
      const [first, ...others] = allGather(values);
      values.set(first!);
      for (const other of others) for (let i = 0; i < values.length; i++) values[i]! += other[i]!;
    },
    broadcast: (bytes) => meet(bytes, (of) => bytes.set(of(0))),
    barrier,
    abort(code) {
      process.exit(code);
    },
    close: () => undefined,
  };
}
