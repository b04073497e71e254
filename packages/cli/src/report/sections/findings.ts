import { html, type Html } from '../page/html.js';
import { points } from '../page/numbers.js';
import type { RunRecord } from '../read-run.js';

/** What the trust checks of the evaluations found, and what that means. */
export function findingsSection(runs: readonly RunRecord[]): Html {
  const evaluated = runs.flatMap((run) => run.evaluations.map((evaluation) => ({ run, ...evaluation })));
  const lost = runs.flatMap((run) =>
    (run.summary?.overfitting ?? []).map(
      ({ epoch, attack, best, robust, singleStep, rolledBack }) =>
        html`<div class="finding">
          <b>${run.label}</b> <span class="soft">summary.json</span><br /><b>catastrophic overfitting</b> in epoch
          ${epoch}: accuracy under ${attack} on validation images fell from ${points(best)} % to ${points(robust)} %,
          while that under a single step was ${points(singleStep)} %.<br />
          <i
            >${rolledBack ? 'the guard went back to before this epoch' : 'the last checkpoint may have no robustness; the best one was chosen by validation'}</i
          >
        </div>`,
    ),
  );
  const blocks = evaluated.map(({ run, file, result }) => {
    const where = html`<b>${run.label}</b> <span class="soft">${file}</span>`;
    const rounded =
      result.arithmetic !== undefined &&
      html`<div class="finding">
        ${where}<br /><b>not float32 throughout</b>: ${result.arithmetic}<br />Published figures are float32's.<br />
        <i>evaluate again in float32, into another file, before you compare</i>
      </div>`;
    if (result.findings.length === 0)
      return html`${rounded}
        <div class="finding good">${where}<br />tier ${result.tier}: the trust checks found nothing.</div>`;
    return [
      rounded,
      ...result.findings.map(
        ({ id, what, meaning, hint }) =>
          html`<div class="finding">
            ${where}<br /><b>${id}</b>: ${what}<br />${meaning}<br />
            <i>${hint}</i>
          </div>`,
      ),
    ];
  });
  return html`<h2>Can these figures be trusted?</h2>
    ${lost}
    ${
      blocks.length > 0
        ? blocks
        : html`<p>
            Trust checks run with an evaluation: <code>bulwark evaluate ${runs[0]!.path} --tier fast</code>. Until then,
            an accuracy under PGD alone says little.
          </p>`
    }`;
}
