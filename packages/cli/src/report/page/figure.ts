import { toInlineSvg, type Chart } from '../chart/render.js';
import { html, Html } from './html.js';

/** A chart with its caption. */
export async function figure(chart: Chart, caption: string, note?: string): Promise<Html> {
  const svg = await toInlineSvg(chart, caption);
  return html`<figure>
    <figcaption>${caption}${note !== undefined && html`<small>${note}</small>`}</figcaption>
    ${Html.own(svg)}
  </figure>`;
}

export const charts = (figures: readonly Html[]): Html => html`<div class="charts">${figures}</div>`;
