import { looksOf, methodColour } from '../chart/palette.js';
import { pairChart } from '../chart/pairs.js';
import { charts, figure } from '../page/figure.js';
import { html, type Html } from '../page/html.js';
import { points } from '../page/numbers.js';
import type { FoundEvaluation, RunRecord } from '../read-run.js';

const attacksOf = ({ attacks }: FoundEvaluation['result']) =>
  [...new Set(attacks.map(({ label, ensemble }) => ensemble ?? label))].join(', ');

async function classFigure(run: RunRecord, { checkpoint, result }: FoundEvaluation, names: ClassNames): Promise<Html> {
  const name = (k: number) => names?.[k] ?? `class ${k}`;
  const rows = result.worst.perClass
    .toSorted((a, b) => b.robust - a.robust)
    .map(({ class: k, clean, robust }) => ({ name: name(k), values: { clean, robust } }));
  const looks = looksOf([
    { label: 'clean', colour: methodColour('natural') },
    { label: 'robust', colour: methodColour(run.method) },
  ]);
  const x = { title: 'accuracy (%)', percent: true, domain: [0, 1] as const, values: [0, 0.25, 0.5, 0.75, 1] };
  const { worstClass } = result.worst;
  return figure(
    pairChart({ rows, x, looks }),
    `${run.label}, ${checkpoint}, ${attacksOf(result)}`,
    `tier ${result.tier}, ${result.data.count} images; worst class: ${name(worstClass.class)}, ${points(worstClass.robust)} % robust`,
  );
}

export type ClassNames = readonly string[] | undefined;

/** Clean and robust accuracy class by class, from evaluations: an average hides the class that is hardly protected. */
export async function classesSection(
  runs: readonly RunRecord[],
  classNames: (run: RunRecord) => ClassNames,
): Promise<Html> {
  const figures = await Promise.all(
    runs.flatMap((run) => run.evaluations.map((evaluation) => classFigure(run, evaluation, classNames(run)))),
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
