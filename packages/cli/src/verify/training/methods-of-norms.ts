import { malformed, type Golden } from '../golden.js';
import { passesOf, type Reading } from './method-fields.js';

type Words = (reading: Reading) => Record<string, unknown>;

const numbersOf = (reading: Reading, name: string) => reading.hyper.take(name) as Readonly<Record<string, number>>;

/** The norms of a case in their order, with their radii. */
function ballsOf(reading: Reading) {
  const names = reading.hyper.take('norms') as string[];
  const radii = numbersOf(reading, 'eps');
  return names.map((name) => ({ norm: name.toLowerCase(), epsilon: radii[name] }));
}

const apgd = (reading: Reading) => {
  const [attack, mode] = [reading.hyper.take('attack'), reading.hyper.take('attackBn')];
  if (attack !== 'apgd_train' || mode !== 'eval')
    throw malformed(
      `hyper.attack is ${String(attack)} in ${String(mode)} mode; only apgd_train in eval mode can be run`,
    );
  return { norms: ballsOf(reading), steps: reading.hyper.take('K') };
};

/** Methods of several norms in the words of a config. */
export const methodsOfNorms: Record<string, Words> = {
  MAX: (reading) => ({ use: 'max', ...apgd(reading), passes: passesOf(reading) }),
  AVG: (reading) => ({ use: 'avg', ...apgd(reading) }),
  'E-AT': (reading) => ({ use: 'e-at', ...apgd(reading), passes: passesOf(reading) }),
  RAMP: (reading) => ({
    use: 'ramp',
    ...apgd(reading),
    source: String(reading.hyper.take('source')).toLowerCase(),
    target: String(reading.hyper.take('target')).toLowerCase(),
    lambda: reading.hyper.take('lambda'),
    passes: passesOf(reading),
  }),
  MSD: (reading) => {
    const [radii, steps] = [numbersOf(reading, 'eps'), numbersOf(reading, 'alpha')];
    const mode = reading.hyper.take('attackBn');
    if (mode !== 'train') throw malformed(`hyper.attackBn is ${String(mode)}; MSD attacks in train mode`);
    const reach = (name: string) => ({ epsilon: radii[name], stepSize: steps[name] });
    return {
      use: 'msd',
      linf: reach('Linf'),
      l2: reach('L2'),
      l1: reach('L1'),
      steps: reading.hyper.take('K'),
      projectAllWhenAnyOutside: reading.hyper.take('projectAllWhenAnyOutside'),
      passes: passesOf(reading),
    };
  },
};

/** Single numbers that a step draws: E-AT's choice of the norm, MSD's number of pixels (from 5). */
export function numbersDrawn(step: Golden): number[] {
  const draw = step['normDraw'] as Golden | undefined;
  if (draw) return [Number(draw['u'])];
  return ((step['iterations'] ?? []) as Golden[]).map(({ k }) => Number(k) - 5);
}
