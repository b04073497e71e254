import { describe, expect, it } from '@jest/globals';
import { defineModel } from '@bulwark/core';
import { z } from 'zod';
import { optionRows } from './plugins.js';

const section = (shape: z.ZodRawShape) => z.strictObject(shape);
const plugin = defineModel({
  name: 'example',
  summary: 'Options of every kind.',
  options: {
    needed: z.string(),
    usual: z.number().default(3),
    open: z.string().optional(),
    whole: section({ needed: z.string(), usual: z.number().default(1) }),
    optional: section({
      needed: z.string(),
      open: z.string().optional(),
      deep: section({ needed: z.string() }),
    }).optional(),
    filled: section({ needed: z.string() }).default({ needed: 'here' }),
  },
  create: () => {
    throw new Error('never made');
  },
});

describe('the options of a plugin', () => {
  it('say what is required, and with which section', () => {
    const shown = Object.fromEntries(optionRows(plugin as never).map((row) => [row.name, row.default]));
    expect(shown).toEqual({
      needed: 'required',
      usual: '3',
      open: '-',
      'whole.needed': 'required',
      'whole.usual': '1',
      'optional.needed': 'required with optional',
      'optional.open': '-',
      'optional.deep.needed': 'required with optional',
      'filled.needed': '"here"',
    });
  });
});
