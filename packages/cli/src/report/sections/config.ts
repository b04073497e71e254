import { stringify } from 'yaml';
import { html, type Html } from '../page/html.js';
import type { RunRecord } from '../read-run.js';

/** The frozen config, which runs again as it stands, and what it ran with. */
export function configSection(runs: readonly RunRecord[]): Html {
  const blocks = runs.map(({ label, path, config, frozen }, i) => {
    const versions = Object.entries(frozen.versions).map(([name, version]) => `${name} ${version}`);
    return html`<details ${runs.length === 1 && i === 0 && 'open'}>
      <summary>${label} <span class="soft">${path}</span></summary>
      <p class="soft">${versions.join(', ')}, engine ${frozen.engine}</p>
      <pre>${stringify(config)}</pre>
    </details>`;
  });
  return html`<h2>Config</h2>
    ${blocks}`;
}
