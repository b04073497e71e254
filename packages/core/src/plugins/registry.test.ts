import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { BulwarkError } from '../errors.js';
import { createRegistry, defineAttack, definePlugin, defineSchedule, number } from './index.js';

const attack = (name: string) =>
  defineAttack({ name, summary: 's', create: () => ({ label: name, run: (images) => images }) });

describe('createRegistry', () => {
  it('finds a plugin by kind and name', () => {
    const pgd = attack('pgd');
    expect(createRegistry([pgd]).find('attack', 'pgd')).toBe(pgd);
  });

  it('names the nearest known one for a mistyped name', () => {
    const registry = createRegistry([attack('pgd'), attack('square')]);
    try {
      registry.find('attack', 'squre');
      throw new Error('found');
    } catch (error) {
      expect(error).toBeInstanceOf(BulwarkError);
      expect((error as BulwarkError).code).toBe('PLUGIN_UNKNOWN');
      expect((error as BulwarkError).message).toContain('known: pgd, square');
      expect((error as BulwarkError).hint).toBe('did you mean square?');
    }
  });

  it('keeps the same name apart in two kinds, and refuses it twice in one', () => {
    const schedule = defineSchedule({ name: 'pgd', summary: 's', create: () => ({ factor: () => 1 }) });
    const registry = createRegistry([attack('pgd'), schedule]);
    expect(registry.list()).toHaveLength(2);
    expect(() => registry.register(attack('pgd'))).toThrow('attack pgd is registered already');
  });

  it('gives a run its own plugins in a child', () => {
    const parent = createRegistry([attack('pgd')]);
    const child = parent.child().register(attack('mine'));
    expect(child.list('attack').map(({ name }) => name)).toEqual(['pgd', 'mine']);
    expect(parent.list('attack').map(({ name }) => name)).toEqual(['pgd']);
  });

  it('shares nothing between two registries', () => {
    createRegistry([attack('pgd')]);
    expect(createRegistry([]).list()).toEqual([]);
  });
});

describe('number', () => {
  const parse = (value: unknown) => number({ min: 0, max: 1 }).safeParse(value);

  it('reads numbers and fractions', () => {
    expect(parse(0.5).data).toBe(0.5);
    expect(parse('8/255').data).toBe(8 / 255);
    expect(parse(' 1.5 / 3 ').data).toBe(0.5);
  });

  it.each(['eight', '8/', {}, null, true, '300/255', -1, NaN])('refuses %p', (value) => {
    expect(parse(value).success).toBe(false);
  });
});

describe('definePlugin', () => {
  it('refuses unknown options', () => {
    const plugin = definePlugin('schedule', {
      name: 's',
      summary: '',
      options: { a: z.number().default(1) },
      create: () => ({ factor: () => 1 }),
    });
    expect(plugin.options.parse({})).toEqual({ a: 1 });
    expect(plugin.options.safeParse({ b: 1 }).success).toBe(false);
  });
});
