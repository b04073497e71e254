import { expect, it } from '@jest/globals';
import { z } from 'zod';
import { firstWrong } from './wrong-value.js';

const schema = z.strictObject({
  steps: z.number().int().min(1),
  layers: z.array(z.object({ name: z.string() })),
  radius: z.union([z.number(), z.literal('auto')]),
  kind: z.enum(['linf', 'l2']),
});
const right = { steps: 3, layers: [{ name: 'a' }], radius: 1, kind: 'l2' };
const told = (change: object) => firstWrong(schema.safeParse({ ...right, ...change }).error!, { ...right, ...change });

it.each([
  [{ steps: undefined }, 'steps is missing: expected a number'],
  [{ steps: 'many' }, 'steps is "many": expected a number'],
  [{ steps: 0 }, 'steps is 0: Too small: expected number to be >=1'],
  [{ layers: [{ name: 'a' }, { name: 5 }] }, 'layers[1].name is 5: expected text'],
  [{ layers: [null] }, 'layers[0] is null: expected a section'],
  [{ radius: true }, 'radius is true: expected a number or "auto"'],
  [{ kind: 'l7' }, 'kind is "l7": Invalid option: expected one of "linf"|"l2"'],
  [{ other: 1, more: 2 }, 'other, more are not options here'],
  [{ steps: 'x'.repeat(90) }, `steps is "${'x'.repeat(56)}...: expected a number`],
])('says where, what is there and what is expected: %j', (change, text) => expect(told(change)).toBe(text));

it('says that nothing or the wrong thing altogether was given', () => {
  expect(firstWrong(schema.safeParse(null).error!, null)).toBe('the whole is null: expected a section');
  expect(firstWrong(schema.safeParse([]).error!, [], 'the table')).toBe('the table is []: expected a section');
});
