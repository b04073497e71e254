import { html, Html } from './page/html.js';
import { style } from './page/style.js';
import type { RunRecord } from './read-run.js';
import { classesSection } from './sections/classes.js';
import { configSection } from './sections/config.js';
import { corruptionsSection } from './sections/corruptions.js';
import { costSection } from './sections/cost.js';
import { curvesSection } from './sections/curves.js';
import { findingsSection } from './sections/findings.js';
import { imagesSection, type Opened } from './sections/images.js';
import { radiusSection } from './sections/radius.js';
import { togetherSection } from './sections/together.js';
import { accuracySection, summarySection } from './sections/summary.js';

export interface ReportOptions {
  /** Models and data of the runs, where they were opened. */
  readonly opened?: ReadonlyMap<RunRecord, Opened>;
  /** Shown at the foot; reports of the same runs at the same time are the same bytes. */
  readonly written: Date;
}

/** What the report says, without the page around it. */
export async function reportBody(
  runs: readonly RunRecord[],
  { opened = new Map(), written }: ReportOptions,
): Promise<Html> {
  const title = runs.length === 1 ? runs[0]!.label : `${runs.length} runs`;
  return html`<main>
    <h1>${title}</h1>
    ${summarySection(runs)} ${accuracySection(runs)}
    ${await (runs.length === 1 ? curvesSection(runs[0]!) : togetherSection(runs))} ${await radiusSection(runs)}
    ${await classesSection(runs, (run) => opened.get(run)?.classNames)} ${corruptionsSection(runs)}
    ${findingsSection(runs)} ${imagesSection(runs, opened)} ${costSection(runs)} ${configSection(runs)}
    <footer>
      Written by Bulwark ${runs[0]!.frozen.versions['bulwark']} on
      ${written.toISOString().slice(0, 16).replace('T', ' ')} UTC.
    </footer>
  </main>`;
}

/** What a browser may do with the report: show it. Nothing in it runs, and it asks the network for nothing. */
export const reportPolicy =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/** A page that needs nothing but itself. `head` adds to its head, `policy` says what it may do. */
export function page(title: string, body: Html, options: { head?: Html; policy?: string } = {}): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="content-security-policy" content="${options.policy ?? reportPolicy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <style>
          ${Html.own(style)}
        </style>
        ${options.head}
      </head>
      <body>
        ${body}
      </body>
    </html> `.text;
}
