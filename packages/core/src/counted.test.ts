import { expect, it } from '@jest/globals';
import { counted } from './counted.js';

it('one thing is not several', () => {
  expect([0, 1, 2].map((count) => counted(count, 'epoch'))).toEqual(['0 epochs', '1 epoch', '2 epochs']);
  expect([1, 2].map((count) => counted(count, 'job waits', 'jobs wait'))).toEqual(['1 job waits', '2 jobs wait']);
});
