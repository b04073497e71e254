import { groupRuns, type RunGroup } from './groups.js';
import { html, type Html } from './page/html.js';
import type { RunRecord } from './read-run.js';

/** Which of many runs a page shows. */
export interface View {
  /** In lower case; a run is shown if each of them is in what is known of it. */
  readonly words: readonly string[];
  /** Labels of groups that are not shown. */
  readonly hidden: ReadonlySet<string>;
}

/** Reads what a page asks for: `filter=words&hide=label&hide=label`. Undefined for anything else. */
export function viewOf(query: URLSearchParams): View | undefined {
  if ([...query.keys()].some((key) => key !== 'filter' && key !== 'hide')) return undefined;
  const words = query.getAll('filter').join(' ').toLowerCase().split(/\s+/).filter(Boolean);
  return { words, hidden: new Set(query.getAll('hide')) };
}

/** Settings of a config as `objective.beta=6`. */
const settings = (value: unknown, path: string): string[] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([key, each]) => settings(each, path === '' ? key : `${path}.${key}`))
    : [`${path}=${String(value)}`];

/** What a filter looks at: name, method and all settings, a space behind each. */
const knownOf = ({ label, method, config }: RunRecord): string =>
  [label, method, ...settings(config, ''), ''].join(' ').toLowerCase();

/** A word may stand anywhere, `beta=6` must be a whole setting: not `beta=60`. */
const isIn = (known: string) => (word: string) => known.includes(word.includes('=') ? `${word} ` : word);

interface Choice {
  readonly group: RunGroup;
  readonly isShown: boolean;
}

/** All groups of runs that the filter leaves, with whether they are shown, and the runs that are. */
export function chosenBy(
  { words, hidden }: View,
  runs: readonly RunRecord[],
): { readonly choices: readonly Choice[]; readonly shown: readonly RunRecord[] } {
  const left = runs.filter((run) => words.every(isIn(knownOf(run))));
  const choices = groupRuns(left).map((group) => ({ group, isShown: !hidden.has(group.label) }));
  return { choices, shown: choices.flatMap(({ group, isShown }) => (isShown ? group.runs : [])) };
}

/** The filter above the report; it stays where the report below it is replaced. */
export const filterBar: Html = html`<form class="filter" role="search">
  <label
    >Show runs with
    <input type="search" name="filter" placeholder="trades beta=6 seed=1" autocomplete="off" spellcheck="false"
  /></label>
</form>`;

/** A box for each run, or for the seeds of one config together. */
export function choicesBar(choices: readonly Choice[], runs: readonly RunRecord[]): Html {
  const shown = choices.flatMap(({ group, isShown }) => (isShown ? group.runs : [])).length;
  return html`<fieldset class="choices">
    <legend>${shown} of ${runs.length} runs</legend>
    ${choices.map(
      ({ group: { label }, isShown }) =>
        html`<label><input type="checkbox" value="${label}" ${isShown ? 'checked' : ''} /> ${label}</label>`,
    )}
    ${shown === 0 && html`<p>No run is shown: ${choices.length === 0 ? 'no run has these words' : 'tick one'}.</p>`}
  </fieldset>`;
}
