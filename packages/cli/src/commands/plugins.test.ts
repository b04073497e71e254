import { describe, expect, it } from '@jest/globals';
import { boolean, choice, defineModel, integer, list, number, section, string } from '@bulwark/core';
import { optionRows } from './plugins.js';

const plugin = defineModel({
  name: 'example',
  summary: 'Options of every kind.',
  options: {
    needed: string(),
    usual: number().default(3),
    open: string().optional(),
    whole: section({ needed: string(), usual: number().default(1) }),
    optional: section({
      needed: string(),
      open: string().optional(),
      deep: section({ needed: string() }),
    }).optional(),
    filled: section({ needed: string() }).default({ needed: 'here' }),
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

  it('are written without another library: numbers, texts, words, yes and no, lists and sections', () => {
    const other = defineModel({
      name: 'other',
      summary: 'Options of every kind.',
      options: {
        rate: number({ min: 0 }).default(0.5).describe('a number or a fraction'),
        title: string().default('none').describe('a text'),
        pooling: choice('max', 'mean').default('max').describe('one of two words'),
        bias: boolean().default(true).describe('yes or no'),
        widths: list(integer({ min: 1 }))
          .default([8])
          .describe('numbers'),
        head: section({ units: integer({ min: 1 }).default(4).describe('a number') })
          .prefault({})
          .describe('options within'),
      },
      create({ pooling, widths, head, bias }) {
        const chosen: 'max' | 'mean' = pooling;
        throw new Error([chosen, ...widths, head.units, bias].join());
      },
    });
    expect(optionRows(other as never).map(({ name, type, default: value }) => [name, type, value])).toEqual([
      ['rate', 'number or fraction', '0.5'],
      ['title', 'string', '"none"'],
      ['pooling', 'max | mean', '"max"'],
      ['bias', 'boolean', 'true'],
      ['widths', 'list of integer', '[8]'],
      ['head.units', 'integer', '4'],
    ]);
  });
});
