import { describe, expect, it } from '@jest/globals';
import { meetingOf } from './rendezvous.js';
import { storeCollective, type Store } from './store-ranks.js';

/** A store that has all keys of other ranks at once: what they show is a function of what is asked for. */
function storeBeside(answer: (key: string) => Uint8Array | undefined) {
  const own = new Map<string, Uint8Array>();
  const found = (key: string) => own.get(key) ?? answer(key);
  const store: Store = {
    storeSet: (key, value) => void own.set(key, value.slice()),
    storeWait: (keys) => keys.flatMap((key, at) => (found(key) ? [] : [at])),
    storeGet: (keys) => keys.map((key) => found(key)!),
    storeDelete: (keys) => keys.forEach((key) => own.delete(key)),
    storeClose: () => undefined,
  };
  return { own, store };
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const text = new Uint8Array(Float32Array.from(new TextEncoder().encode('node7')).buffer);
const place = { rank: 0, size: 2, seconds: 5, prefix: 'p/', serves: true, keeper: 'rank 0' };

describe('ranks that speak through a store', () => {
  it('sum, gather and send, and leave no key behind that nobody reads', () => {
    const other: Record<string, Uint8Array> = {
      'p/0/1': text,
      'p/1/1': floats(10, 20, 30),
      'p/2/1': floats(7),
      'p/4/1': Uint8Array.of(1),
    };
    const { own, store } = storeBeside((key) => other[key]);
    const collective = storeCollective(store, place);
    const values = Float32Array.of(1, 2, 3);
    collective.allReduce(values);
    expect([...values]).toEqual([11, 22, 33]);
    expect(collective.allGather(Float32Array.of(5, 6)).map((each) => [...each])).toEqual([[5, 6], [7]]);
    collective.broadcast(Uint8Array.of(9));
    collective.barrier();
    expect([...own.keys()]).toEqual(['p/4/0']);
  });

  it('sum many numbers by shares', () => {
    const count = 20_001;
    const numbers = Float32Array.from({ length: count }, (_, i) => i);
    const half = Math.ceil(count / 2);
    const other: Record<string, Uint8Array> = {
      'p/0/1': text,
      'p/1/1/0': floats(...numbers.subarray(0, half)),
      'p/2/1': floats(...numbers.subarray(half).map((value) => 3 * value)),
    };
    const { own, store } = storeBeside((key) => other[key]);
    const values = Float32Array.from(numbers, (value) => 2 * value);
    storeCollective(store, place).allReduce(values);
    expect(values.every((value, i) => value === 3 * i)).toBe(true);
    expect([...own.keys()]).toEqual(['p/2/0']);
  });

  it('name those who do not answer', () => {
    const { store } = storeBeside((key) => (key === 'p/0/1' ? text : undefined));
    const lost = expect.objectContaining({
      code: 'RANK_LOST',
      message: expect.stringMatching(/^rank 1 on node7 has not answered for \d+ s$/),
    });
    expect(() => storeCollective(store, place).barrier()).toThrow(lost as never);
    expect(() => storeCollective(storeBeside(() => undefined).store, place)).toThrow(/^rank 1 has not answered/);
  });

  it('say whose store is gone, and hear nothing from it', () => {
    const { store } = storeBeside((key) => (key === 'p/0/1' ? text : undefined));
    const collective = storeCollective(store, place);
    store.storeWait = () => {
      throw new Error('storeWait: Broken pipe');
    };
    const gone = {
      code: 'RANK_LOST',
      message: 'rank 0 is gone, in whose store the ranks meet: storeWait: Broken pipe',
    };
    expect(() => collective.barrier()).toThrow(expect.objectContaining(gone) as never);
    expect(() => collective.hear!()).not.toThrow();
  });
});

describe('where ranks meet', () => {
  it('is what the variables say, in a store of rank 0 or of torchrun', () => {
    const own = { MASTER_ADDR: 'node3', MASTER_PORT: '29500' };
    expect(meetingOf(own)).toEqual({ host: 'node3', port: 29500, served: true, prefix: 'bulwark/0/' });
    const agent = { ...own, TORCHELASTIC_USE_AGENT_STORE: 'True', TORCHELASTIC_RESTART_COUNT: '2' };
    expect(meetingOf(agent)).toEqual({ host: 'node3', port: 29500, served: false, prefix: 'bulwark/2/' });
  });

  it.each([
    [{ MASTER_PORT: '1' }, /MASTER_ADDR is not set/],
    [{ MASTER_ADDR: 'a' }, /MASTER_PORT is not set/],
    [{ MASTER_ADDR: 'a', MASTER_PORT: 'x' }, /MASTER_PORT is x, no port/],
    [{ MASTER_ADDR: 'a', MASTER_PORT: '70000' }, /MASTER_PORT is 70000/],
  ])('is told to be missing: %p', (env, message) => {
    expect(() => meetingOf(env)).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }) as never); // prettier-ignore
  });
});
