import { wilsonInterval } from '@bulwark/core/evaluation';
import { threatText } from '@bulwark/core/threat';
import { looksOf, methodColour } from '../chart/palette.js';
import { pairChart } from '../chart/pairs.js';
import { charts, figure } from '../page/figure.js';
import { html, type Html } from '../page/html.js';
import { points } from '../page/numbers.js';
import { groupRuns } from '../groups.js';
import type { FoundEvaluation, RunRecord } from '../read-run.js';

const attacksOf = ({ attacks }: FoundEvaluation['result']) =>
  [...new Set(attacks.map(({ label, ensemble }) => ensemble ?? label))].join(', ');

async function classFigure(run: RunRecord, { checkpoint, result }: FoundEvaluation, names: ClassNames): Promise<Html> {
  const name = (k: number) => names?.[k] ?? `class ${k}`;
  const rows = result.worst.perClass
    .toSorted((a, b) => b.robust - a.robust)
    .map(({ class: k, count, clean, robust }) => ({
      name: name(k),
      values: { clean, robust },
      intervals: { clean: intervalOf(clean, count), robust: intervalOf(robust, count) },
    }));
  const looks = looksOf([
    { label: 'clean', colour: methodColour('natural') },
    { label: 'robust', colour: methodColour(run.method) },
  ]);
  const x = { title: 'accuracy (%)', percent: true, domain: [0, 1] as const, values: [0, 0.25, 0.5, 0.75, 1] };
  const { worstClass } = result.worst;
  return figure(
    pairChart({ rows, x, looks }),
    `${run.label}, ${checkpoint}, ${attacksOf(result)}, ${threatText(result.threat)}`,
    `tier ${result.tier}, ${result.data.count} images, ${imagesPerClass(result)} of each class; bands: 95 % intervals. Worst class: ${name(worstClass.class)}, ${points(worstClass.robust)} % robust`,
  );
}

/** Wilson's interval of a share of so many images. */
const intervalOf = (share: number, count: number) => wilsonInterval(Math.round(share * count), count);

/** `100`, or `93 to 107`. */
function imagesPerClass({ worst }: FoundEvaluation['result']): string {
  const counts = worst.perClass.map(({ count }) => count);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? String(least) : `${least} to ${most}`;
}

export type ClassNames = readonly string[] | undefined;

/** What evaluations have to share for their classes to be compared. */
const questionOf = ({ result }: FoundEvaluation) =>
  `${attacksOf(result)}, ${threatText(result.threat)}, tier ${result.tier}, ${result.data.count} images`;

/** Robust accuracy of each class for several runs in one chart; seeds as their mean. */
async function classesTogether(question: string, runs: readonly RunRecord[], names: ClassNames): Promise<Html> {
  const groups = groupRuns(runs.filter((run) => run.evaluations.some((each) => questionOf(each) === question)));
  const perClass = new Map(
    groups.map(({ label, runs: members }) => [
      label,
      members.map((run) => run.evaluations.find((each) => questionOf(each) === question)!.result.worst.perClass),
    ]),
  );
  const classes = [...perClass.values()][0]![0]!.map(({ class: k }) => k);
  const rows = classes.map((k) => {
    const found = [...perClass].map(([label, results]) => {
      const of = results.flatMap((each) => each.find((row) => row.class === k) ?? []);
      const shares = of.map(({ robust }) => robust);
      const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
      const band =
        of.length > 1 ? ([Math.min(...shares), Math.max(...shares)] as const) : intervalOf(mean, of[0]?.count ?? 0);
      return { label, mean, band };
    });
    return {
      name: names?.[k] ?? `class ${k}`,
      values: Object.fromEntries(found.map(({ label, mean }) => [label, mean])),
      intervals: Object.fromEntries(found.map(({ label, band }) => [label, band])),
    };
  });
  const looks = looksOf(groups.map(({ label, method }) => ({ label, colour: methodColour(method) })));
  const x = { title: 'robust accuracy (%)', percent: true, domain: [0, 1] as const, values: [0, 0.25, 0.5, 0.75, 1] };
  const without = groupRuns(runs.filter((run) => groups.every(({ runs: members }) => !members.includes(run)))).map(
    ({ label }) => label,
  );
  const several = groups.filter(({ runs: members }) => members.length > 1).length;
  const bands = [
    ...(several > 0 ? ['from the lowest to the highest of the seeds, around their mean'] : []),
    ...(several < groups.length ? [`95 % intervals${several > 0 ? ' of single runs' : ''}`] : []),
  ];
  const [measured] = groups[0]!.runs[0]!.evaluations.filter((each) => questionOf(each) === question);
  const seeds = `${imagesPerClass(measured!.result)} images of each class; bands: ${bands.join('; ')}. `;
  return figure(
    pairChart({ rows, x, looks }),
    `Robust accuracy by class: ${question}`,
    `${seeds}${without.length > 0 ? `Not measured so: ${without.join(', ')}.` : ''}` || undefined,
  );
}

/** Clean and robust accuracy class by class, from evaluations: an average hides the class that is hardly protected. */
export async function classesSection(
  runs: readonly RunRecord[],
  classNames: (run: RunRecord) => ClassNames,
): Promise<Html> {
  const asked = [...new Set(runs.flatMap((run) => run.evaluations.map((each) => questionOf(each))))];
  const names = runs.map(classNames).find((each) => each !== undefined);
  const figures = await Promise.all(
    runs.length === 1
      ? runs[0]!.evaluations.map((evaluation) => classFigure(runs[0]!, evaluation, names))
      : asked.map((question) => classesTogether(question, runs, names)),
  );
  return html`<h2>Class by class</h2>
    ${
      figures.length > 0
        ? charts(figures)
        : html`<p>
            Not measured yet: <code>bulwark evaluate ${runs[0]!.path}</code> measures every class under attack.
          </p>`
    }`;
}
