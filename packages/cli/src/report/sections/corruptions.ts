import { corruptionTable } from '@bulwark/core/evaluation';
import { htmlTable } from '../page/table.js';
import { html, type Html } from '../page/html.js';
import { points } from '../page/numbers.js';
import type { FoundCorruptions, RunRecord } from '../read-run.js';

const titleOf = ({ checkpoint, result }: FoundCorruptions) =>
  `${result.data.name}, ${checkpoint} checkpoint${result.complete ? '' : ', not finished'}`;

const imagesOf = ({ groups }: FoundCorruptions['result']) => groups.reduce((sum, { count }) => sum + count, 0);

/** One run: every corruption at every severity. */
function alone(found: FoundCorruptions): Html {
  const { mean, rows } = corruptionTable(found.result);
  const levels = [...new Set(found.result.groups.map(({ level }) => level))].sort((a, b) => a - b);
  const cells = rows.map(({ name, accuracy, levels: own }) => [
    name,
    ...levels.map((level) => {
      const at = own.find((each) => each.level === level);
      return at ? points(at.accuracy) : '-';
    }),
    points(accuracy),
  ]);
  const columns = ['corruption', ...levels.map((level) => ({ number: `severity ${level}, %` })), { number: 'mean %' }];
  return html`<h3>${titleOf(found)}: ${points(mean)} %</h3>
    ${htmlTable(columns, cells)}
    <p class="soft">
      Accuracy without an adversary on ${imagesOf(found.result)} images; means count every severity the same.
    </p>`;
}

/** Several runs side by side: the mean over severities of each corruption, and of all. */
function together(title: string, runs: readonly { label: string; found: FoundCorruptions }[]): Html {
  const tables = runs.map(({ label, found }) => ({ label, table: corruptionTable(found.result) }));
  const names = [...new Set(tables.flatMap(({ table }) => table.rows.map(({ name }) => name)))];
  const of = (name: string, { rows }: ReturnType<typeof corruptionTable>) => {
    const row = rows.find((each) => each.name === name);
    return row ? points(row.accuracy) : '-';
  };
  const cells = [
    ...names.map((name) => [name, ...tables.map(({ table }) => of(name, table))]),
    ['mean', ...tables.map(({ table }) => points(table.mean))],
  ];
  return html`<h3>${title}</h3>
    ${htmlTable(['corruption, %', ...tables.map(({ label }) => ({ number: label }))], cells)}
    <p class="soft">
      Accuracy without an adversary, mean over severities, on
      ${[...new Set(runs.map(({ found }) => imagesOf(found.result)))].join(' or ')} images.
    </p>`;
}

/** Accuracy under common corruptions, where it was measured. */
export function corruptionsSection(runs: readonly RunRecord[]): Html | undefined {
  const all = runs.flatMap((run) => run.corruptions.map((found) => ({ label: run.label, found })));
  if (all.length === 0) return undefined;
  const titles = [...new Set(all.map(({ found }) => titleOf(found)))];
  const tables =
    runs.length === 1
      ? all.map(({ found }) => alone(found))
      : titles.map((title) =>
          together(
            title,
            all.filter(({ found }) => titleOf(found) === title),
          ),
        );
  return html`<h2>Common corruptions</h2>
    ${tables}`;
}
