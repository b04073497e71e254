import { html, type Html } from '../page/html.js';
import type { RunRecord } from '../read-run.js';

/** What the trust checks of the evaluations found, and what that means. */
export function findingsSection(runs: readonly RunRecord[]): Html {
  const evaluated = runs.flatMap((run) => run.evaluations.map((evaluation) => ({ run, ...evaluation })));
  const blocks = evaluated.map(({ run, file, result }) => {
    const where = html`<b>${run.label}</b> <span class="soft">${file}</span>`;
    if (result.findings.length === 0)
      return html`<div class="finding good">${where}<br />tier ${result.tier}: the trust checks found nothing.</div>`;
    return result.findings.map(
      ({ id, what, meaning, cure }) =>
        html`<div class="finding">
          ${where}<br /><b>${id}</b>: ${what}<br />${meaning}<br />
          <i>${cure}</i>
        </div>`,
    );
  });
  return html`<h2>Can these figures be trusted?</h2>
    ${
      blocks.length > 0
        ? blocks
        : html`<p>
            Trust checks run with an evaluation: <code>bulwark evaluate ${runs[0]!.path} --tier fast</code>. Until then,
            an accuracy under PGD alone says little.
          </p>`
    }`;
}
