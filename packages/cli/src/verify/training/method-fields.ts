import type { Role } from '@bulwark/core';
import { malformed, type FieldReader, type Golden } from '../golden.js';

/** What the words of a method are read from. */
export interface Reading {
  readonly hyper: FieldReader;
  readonly noise: Golden | undefined;
  readonly outerPasses: readonly string[] | undefined;
}

const roles: Record<string, Role> = {
  nat: 'natural',
  adv: 'adversarial',
  col: 'collaborative',
  cw: 'carlini-wagner',
  bridge: 'bridge',
  help: 'helper',
  grad2: 'elsewhere',
  triplet: 'linear-a+linear-b+linear-c',
  best: 'adversarial',
  source: 'source',
  target: 'target',
  linf: 'linf',
  l1: 'l1',
  l2: 'l2',
};

/** Role of a point by its name in golden files: `adv2` is the second neighbour. */
export function roleOf(golden: string): Role {
  const whole = roles[golden.toLowerCase()];
  if (whole) return whole;
  const [, name = golden, index = ''] = /^([a-zA-Z]+)(\d*)$/.exec(golden) ?? [];
  const role = roles[name.toLowerCase()];
  if (!role) throw malformed(`${golden} is not the name of a point`);
  return index ? `${role}-${index}` : role;
}

const modes: Record<string, string> = { eval: 'eval', train: 'train', 'train-notrack': 'batch' };

/** Config name of a golden value; an unknown one stays as it is, and the config check refuses it by name. */
export const named = (names: Record<string, string>, value: unknown): unknown => names[String(value)] ?? value;

/** Options without those that the case leaves out. */
export const defined = (options: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

/** The BatchNorm mode of the attack. */
export const modeOf = ({ hyper }: Reading): unknown => {
  const mode = hyper.take('attackBn');
  return mode === undefined ? undefined : named(modes, mode);
};

/** The section `inner`. */
export const innerOf = (reading: Reading, uniform: 'uniform' | 'unclipped-uniform'): Record<string, unknown> => {
  const { hyper, noise } = reading;
  const normal = noise?.['dist'] === 'normal';
  const clips = hyper.take('startClip');
  const start = clips === undefined ? uniform : clips ? 'uniform' : 'unclipped-uniform';
  return defined({
    steps: hyper.take('K'),
    stepSize: hyper.take('alpha'),
    start: noise === undefined ? 'none' : normal ? 'gaussian' : start,
    startScale: normal ? noise['scale'] : undefined,
    mode: modeOf(reading),
  });
};

/** The outer passes. */
export const passesOf = ({ outerPasses }: Reading): Role[] | undefined => outerPasses?.map(roleOf);
