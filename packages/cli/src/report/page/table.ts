import { html, type Html } from './html.js';

export type Cell = string | number | Html;

/** A column: its head and whether it holds numbers. */
export type Column = string | { readonly number: string };

/** A table that scrolls sideways where it does not fit. */
export function htmlTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Html {
  const isNumber = (i: number) => typeof columns[i] === 'object';
  const head = columns.map((column) =>
    typeof column === 'string' ? html`<th>${column}</th>` : html`<th class="number">${column.number}</th>`,
  );
  const body = rows.map(
    (row) =>
      html`<tr>
        ${row.map((cell, i) => (isNumber(i) ? html`<td class="number">${cell}</td>` : html`<td>${cell}</td>`))}
      </tr>`,
  );
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}
