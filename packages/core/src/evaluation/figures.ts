import type { AttackEntry, EvaluationResult } from './result.js';
import { norms } from '../threat/index.js';
import { wilsonInterval } from './statistics.js';

const count = (flags: string, wanted: string) => [...flags].filter((flag) => wanted.includes(flag)).length;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const near = (a: number, b: number) => Math.abs(a - b) <= 1e-9 * Math.max(1, Math.abs(a), Math.abs(b));

/** One figure of a result, and what its flags say. */
interface Figure {
  readonly name: string;
  readonly said: number;
  readonly found: number;
}

/** Accuracy and interval of flags. */
function summaryFigures(name: string, part: EvaluationResult['clean'], images: number): Figure[] {
  const ones = count(part.flags, '1');
  const [low, high] = wilsonInterval(ones, images);
  return [
    { name: `${name}.accuracy`, said: part.accuracy, found: ones / images },
    { name: `${name}.interval.0`, said: part.interval[0], found: low },
    { name: `${name}.interval.1`, said: part.interval[1], found: high },
  ];
}

function attackFigures({ clean, attacks, data, threat }: EvaluationResult, k: number): Figure[] {
  const entry = attacks[k]!;
  const group: AttackEntry[] = [
    ...attacks.slice(0, k).filter(({ ensemble }) => ensemble !== undefined && ensemble === entry.ensemble),
    entry,
  ];
  const left = [...clean.flags].filter((flag, i) => flag === '1' && group.every(({ flags }) => flags[i] !== '0'));
  const { distances, flags } = entry;
  const limit = norms[threat.norm].slack(threat.epsilon) + threat.epsilon * (1 + 1e-6);
  const within = distances?.filter((distance) => distance !== null && distance <= limit).length ?? 0;
  // what has not begun has no accuracy yet
  const begun = entry.done || /[^.]/.test(entry.flags);
  return [
    { name: `attacks.${k}.attacked`, said: entry.attacked + (entry.reused ?? 0), found: count(entry.flags, '01') },
    ...(begun ? [{ name: `attacks.${k}.accuracy`, said: entry.accuracy, found: left.length / data.count }] : []),
    ...(distances
      ? [
          { name: `attacks.${k}.distances`, said: distances.length, found: flags.length },
          { name: `attacks.${k}.distances within the radius`, said: within, found: count(flags, '0') },
        ]
      : []),
    ...(entry.done
      ? [{ name: `attacks.${k}.flags still to be attacked`, said: count(entry.flags, '.'), found: 0 }]
      : []),
  ];
}

/** Tables by class, as far as they follow without the labels. */
function classFigures({ clean, worst, data }: EvaluationResult): Figure[] {
  const { perClass, confusion, predictions, worstClass } = worst;
  const robust = new Map(perClass.map((row) => [row.class, row]));
  const lowest = Math.min(...perClass.map((row) => row.robust));
  return [
    { name: 'worst.perClass counts', said: sum(perClass.map((row) => row.count)), found: data.count },
    {
      name: 'worst.perClass clean images',
      said: sum(perClass.map((row) => row.count * row.clean)),
      found: count(clean.flags, '1'),
    },
    {
      name: 'worst.perClass robust images',
      said: sum(perClass.map((row) => row.count * row.robust)),
      found: count(worst.flags, '1'),
    },
    { name: 'worst.worstClass.robust', said: worstClass.robust, found: lowest },
    { name: 'worst.worstClass', said: robust.get(worstClass.class)?.robust ?? NaN, found: lowest },
    ...confusion.flatMap((row, k): Figure[] => {
      const of = robust.get(k);
      const predicted = predictions.filter((prediction) => prediction === k).length;
      return [
        { name: `worst.confusion.${k}`, said: sum(row), found: of?.count ?? 0 },
        { name: `worst.confusion.${k}.${k}`, said: row[k] ?? NaN, found: of ? of.count * of.robust : 0 },
        { name: `worst.confusion.*.${k}`, said: sum(confusion.map((each) => each[k] ?? NaN)), found: predicted },
      ];
    }),
  ];
}

/** Flags of the worst case over all attacks. */
const worstFlags = ({ clean, attacks }: EvaluationResult) =>
  [...clean.flags]
    .map((flag, i) => (flag === '1' && attacks.every(({ flags }) => flags[i] !== '0') ? '1' : '0'))
    .join('');

/**
 * Computes every figure of a result anew from its flags, which are one for each image: there is one judge of a number.
 * @returns what does not follow from them, in words; undefined if everything does
 */
export function contradiction(result: EvaluationResult): string | undefined {
  const { clean, worst, attacks, data, complete } = result;
  const images = data.count;
  const short = [clean, worst, ...attacks].find(({ flags }) => flags.length !== images);
  if (short) return `there are ${short.flags.length} flags for ${images} images`;
  if (worst.predictions.length !== images)
    return `there are ${worst.predictions.length} predictions for ${images} images`;
  if (/[^01]/.test(clean.flags + worst.flags)) return 'clean and worst flags are 0 or 1';
  if (worst.confusion.length !== data.classes) return `the confusion matrix is not of ${data.classes} classes`;
  if (worst.flags !== worstFlags(result)) return 'the worst case is not the worst over the attacks';
  if (complete !== attacks.every(({ done }) => done)) return `complete is ${complete}, which its attacks contradict`;
  const figures = [
    ...summaryFigures('clean', clean, images),
    ...summaryFigures('worst', worst, images),
    ...attacks.flatMap((_, k) => attackFigures(result, k)),
    ...classFigures(result),
  ];
  const wrong = figures.find(({ said, found }) => !near(said, found));
  return wrong && `${wrong.name} is ${wrong.said}; by its flags it is ${wrong.found}`;
}
