import { html, type Html } from './html.js';

export type Cell = string | number | Html;

/** A column: its head and whether it holds numbers. */
export type Column = string | { readonly number: string };

/** A table; on a phone a card for each row. */
export function htmlTable(columns: readonly Column[], rows: readonly (readonly Cell[])[]): Html {
  const isNumber = (i: number) => typeof columns[i] === 'object';
  const head = columns.map((column) =>
    typeof column === 'string' ? html`<th>${column}</th>` : html`<th class="number">${column.number}</th>`,
  );
  // a phone shows each row as a card, on which each cell says what it is
  const nameOf = (i: number) => {
    const column = columns[i]!;
    return typeof column === 'string' ? column : column.number;
  };
  const body = rows.map(
    (row) =>
      html`<tr>
        ${row.map((cell, i) =>
          isNumber(i)
            ? html`<td class="number" data-name="${nameOf(i)}"><span>${cell}</span></td>`
            : html`<td data-name="${nameOf(i)}"><span>${cell}</span></td>`,
        )}
      </tr>`,
  );
  return html`<div class="wide">
    <table class="rows">
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
