import { norms } from '@bulwark/core';
import { html, type Html } from '../page/html.js';
import { sheetColumns, sheetSearch, type SeenImage, type SheetRow } from '../image-sheet.js';
import type { RunRecord } from '../read-run.js';
import type { ClassNames } from './classes.js';
import { radius } from './measured.js';

/** What is known of a run from its model and data; `problem` says why they could not be opened. */
export interface Opened {
  readonly classNames?: ClassNames;
  readonly rows?: readonly SheetRow[];
  readonly notes?: readonly string[];
  readonly checkpoint?: string;
  readonly problem?: string;
}

function cell({ source, predicted, trueProbability }: SeenImage, label: number, name: (k: number) => string): Html {
  const alt = predicted === undefined ? 'perturbation, magnified' : `taken for ${name(predicted)}`;
  const image = html`<img src="${source}" alt="${alt}" />`;
  if (predicted === undefined) return html`<td>${image}</td>`;
  const verdict = html`${name(predicted)}<br />${(100 * trueProbability!).toFixed(0)} %`;
  return html`<td>${image}${predicted === label ? verdict : html`<span class="wrong">${verdict}</span>`}</td>`;
}

function sheet(run: RunRecord, { rows = [], classNames, checkpoint }: Opened): Html {
  const name = (k: number) => classNames?.[k] ?? `class ${k}`;
  const { perPixel } = norms[run.config.threat.norm];
  const grey = perPixel ? 'white and black are a full epsilon' : 'white and black are the largest change';
  return html`<p class="soft">
      ${checkpoint}, threat ${radius(run)}: ${sheetSearch.steps} steps up (adversarial) and down (collaborative) the
      cross-entropy. Below each image the class it is taken for and the probability of the true class. Perturbations are
      magnified: grey is no change, ${grey}.
    </p>
    <div class="wide">
      <table class="sheet">
        <thead>
          <tr>
            <th>class</th>
            ${sheetColumns.map((column) => html`<th>${column}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ label, images }) =>
              html`<tr>
                <th>${name(label)}</th>
                ${sheetColumns.map((column) => cell(images[column], label, name))}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

/** Test images with their neighbours, as each run's model sees them. */
export function imagesSection(runs: readonly RunRecord[], opened: ReadonlyMap<RunRecord, Opened>): Html {
  const blocks = runs.flatMap((run) => {
    const seen = opened.get(run);
    if (!seen) return [];
    const content = seen.problem === undefined ? sheet(run, seen) : html`<p>Not shown: ${seen.problem}</p>`;
    return [html`${runs.length > 1 && html`<h3>${run.label}</h3>`} ${content}`];
  });
  const notes = [...new Set([...opened.values()].flatMap(({ notes = [] }) => notes))];
  if (blocks.length === 0) return html``;
  return html`<h2>Images</h2>
    ${blocks} ${notes.length > 0 && html`<p class="soft">Data: ${notes.join(' ')}</p>`}`;
}
