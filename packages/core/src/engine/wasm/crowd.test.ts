import { describe, expect, it } from '@jest/globals';
import { startCrowd } from './crowd.js';

/** Milliseconds of a job of so much work on a machine with `cores`: every thread beyond them costs, and so does every thread that is woken. */
const machine =
  (cores: number, waking = 0.01) =>
  (work: number, threads: number): number =>
    work / Math.min(threads, cores) + waking * threads + (threads > cores ? 0.3 * (threads - cores) : 0);

/** Runs jobs of three kinds in turn for so long; gives the numbers of threads that they had, the last ones last. */
function play(
  most: number,
  milliseconds: number,
  takes: (time: number) => (work: number, threads: number) => number,
): number[] {
  let time = 0;
  const crowd = startCrowd(most, () => time);
  const used: number[] = [];
  for (let turn = 0; time < milliseconds; turn++) {
    const work = [4, 1, 7][turn % 3]!;
    crowd.run(
      () => `job of ${work}`,
      (threads) => {
        used.push(threads);
        time += takes(time)(work, threads);
      },
    );
  }
  return used;
}

/** The number that most of the last jobs had. */
function settled(used: readonly number[]): number {
  const last = used.slice(-300);
  const counts = new Map<number, number>();
  for (const threads of last) counts.set(threads, (counts.get(threads) ?? 0) + 1);
  return [...counts].reduce((most, each) => (each[1] > most[1] ? each : most))[0];
}

describe('a crowd', () => {
  it.each([
    { most: 16, cores: 16, expected: 16 },
    { most: 16, cores: 2, expected: 2 },
    { most: 7, cores: 2, expected: 2 },
    { most: 64, cores: 4, expected: 4 },
    { most: 8, cores: 1, expected: 1 },
    { most: 2, cores: 2, expected: 2 },
    { most: 1, cores: 4, expected: 1 },
  ])('of at most $most threads on $cores cores comes to $expected', ({ most, cores, expected }) => {
    const used = play(most, 20_000, () => machine(cores));
    expect(settled(used)).toBe(expected);
    expect(Math.max(...used)).toBeLessThanOrEqual(most);
    expect(Math.min(...used)).toBeGreaterThanOrEqual(1);
  });
  it('follows a machine whose cores become free, and one whose cores are taken', () => {
    const [few, many] = [machine(2), machine(8)];
    expect(settled(play(8, 90_000, (time) => (time < 30_000 ? few : many)))).toBe(8);
    expect(settled(play(8, 90_000, (time) => (time < 30_000 ? many : few)))).toBe(2);
  });
  it('spends a small part of its time on trials', () => {
    const used = play(8, 60_000, () => machine(8)).slice(-5000);
    expect(used.filter((threads) => threads !== 8).length).toBeLessThan(250);
  });
  it('stays when jobs take equally long', () => {
    expect(settled(play(8, 20_000, () => () => 3))).toBe(8);
  });
  it('passes on what a job throws, and goes on', () => {
    const crowd = startCrowd(4, () => 0);
    const fail = (): never => {
      throw new Error('no');
    };
    expect(() => crowd.run(() => 'a', fail)).toThrow('no');
    let ran = 0;
    crowd.run(
      () => 'a',
      () => void ran++,
    );
    expect(ran).toBe(1);
  });
});
