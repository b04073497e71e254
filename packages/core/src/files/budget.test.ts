import { describe, expect, it } from '@jest/globals';
import { createBudget, readingLimits } from './budget.js';

const refuse = (why: string) => new RangeError(why);
const { freeBytes, bytesPerByte, freeSteps, stepsPerByte, depth } = readingLimits;

describe('the budget of reading a file', () => {
  it('counts memory over the whole file, before it is taken', () => {
    const budget = createBudget({ bytes: 1000, refuse });
    const most = freeBytes + 1000 * bytesPerByte;
    budget.allocate(most - 10, 'an array');
    expect(budget.bytesLeft).toBe(10);
    expect(() => budget.allocate(11, 'a second array')).toThrow(
      'a second array would take 256 MiB; a file of 1000 bytes may take 256 MiB',
    );
    budget.allocate(10, 'a smaller one');
  });

  it('grows with the file', () => {
    const most = (bytes: number) => createBudget({ bytes, refuse }).bytesLeft;
    expect(most(2 ** 20) - most(0)).toBe(bytesPerByte * 2 ** 20);
  });

  it('refuses sizes that overflow to no number', () => {
    const budget = createBudget({ bytes: 1, refuse });
    expect(() => budget.allocate(NaN, 'an array')).toThrow(RangeError);
    expect(() => budget.allocate(Infinity, 'an array')).toThrow(RangeError);
    expect(() => budget.work(NaN, 'a loop')).toThrow(RangeError);
  });

  it('counts steps', () => {
    const budget = createBudget({ bytes: 2, refuse });
    budget.work(freeSteps + 2 * stepsPerByte, 'a loop');
    expect(() => budget.work(1, 'another')).toThrow('another would take');
  });

  it('bounds how deep values lie in each other, and forgets the depth on the way back', () => {
    const budget = createBudget({ bytes: 1, refuse });
    const nest = (levels: number): number => (levels === 0 ? 0 : budget.within('a list', () => nest(levels - 1) + 1));
    expect(nest(depth)).toBe(depth);
    expect(nest(depth)).toBe(depth);
    expect(() => nest(depth + 1)).toThrow(`a list: more than ${depth} values within each other`);
    expect(nest(depth)).toBe(depth);
  });
});
