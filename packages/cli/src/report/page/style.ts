/** The page's look: one column on a phone, dark where the reader's system is, black on white in print. */
export const style = `
:root { --ink: #1c1e21; --soft: #5b6370; --paper: #fff; --card: #f5f6f8; --line: #d9dde3; --link: #0b5cad; color-scheme: light dark; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --soft: #a3abb6; --paper: #14171a; --card: #1d2126; --line: #353b43; --link: #7db7f0; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem; max-width: 74rem; color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; padding-top: 0.6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 0.3rem; }
p { margin: 0.4rem 0; max-width: 46rem; }
a { color: var(--link); }
code { font-size: 0.9em; overflow-wrap: anywhere; }
.soft { color: var(--soft); font-size: 0.9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 0.5rem 0; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; font-size: 0.85rem; color: var(--soft); }
td.number, th.number { text-align: right; }
td small { color: var(--soft); }
.wide th, .wide td { white-space: nowrap; }
.swatch { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 2px; margin-right: 0.4em; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21.5rem, 100%), 1fr)); gap: 1.2rem 1.5rem; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 0.9rem; font-weight: 600; margin-bottom: 0.3rem; }
figcaption small { display: block; font-weight: 400; color: var(--soft); }
figure svg { max-width: 100%; height: auto; display: block; }
.finding { border-left: 4px solid #d55e00; background: var(--card); padding: 0.5rem 0.9rem; margin: 0.6rem 0; border-radius: 0 6px 6px 0; }
.good { border-left-color: #009e73; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 0.7rem; margin: 1rem 0; }
.facts div { background: var(--card); padding: 0.6rem 0.8rem; border-radius: 8px; }
.facts b { display: block; font-size: 1.3rem; }
.facts span { font-size: 0.85rem; color: var(--soft); }
details { margin: 0.5rem 0; }
summary { cursor: pointer; }
pre { background: var(--card); padding: 0.8rem; border-radius: 8px; overflow-x: auto; font-size: 0.85rem; line-height: 1.4; }
.sheet td, .sheet th { border: 0; padding: 0.25rem 0.5rem 0.25rem 0; font-size: 0.8rem; text-align: center; }
.sheet th:first-child { text-align: left; }
.sheet img { width: 84px; height: 84px; image-rendering: pixelated; display: block; margin: 0 auto; background: #808080; }
.wrong { color: #c2410c; font-weight: 600; }
@media (prefers-color-scheme: dark) { .wrong { color: #ff9a62; } }
@media screen and (max-width: 40rem) {
  table.rows, table.rows tbody, table.rows tr { display: block; }
  table.rows thead { display: none; }
  table.rows tr { background: var(--card); border-radius: 8px; padding: 0.3rem 0.8rem; margin: 0.6rem 0; }
  table.rows td, table.rows td.number { display: flex; justify-content: space-between; gap: 1rem; padding: 0.25rem 0; text-align: right; white-space: normal; }
  table.rows td:last-child { border-bottom: 0; }
  table.rows td::before { content: attr(data-name); color: var(--soft); font-size: 0.85rem; text-align: left; flex: none; max-width: 45%; }
  table.rows td > span { min-width: 0; overflow-wrap: anywhere; }
}
form.filter { margin: 0 0 0.6rem; }
form.filter label { display: flex; flex-wrap: wrap; align-items: center; gap: 0.6rem; color: var(--soft); }
form.filter input { flex: 1 1 14rem; max-width: 30rem; min-width: 0; padding: 0.45rem 0.7rem; font: inherit; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; }
.choices { display: flex; flex-wrap: wrap; gap: 0.3rem 1.2rem; margin: 0 0 1rem; padding: 0.5rem 0.8rem; border: 1px solid var(--line); border-radius: 8px;
  max-height: 12rem; overflow-y: auto; min-width: 0; }
.choices legend { color: var(--soft); font-size: 0.9rem; padding: 0 0.3rem; }
.choices label { cursor: pointer; overflow-wrap: anywhere; }
footer { margin-top: 3rem; color: var(--soft); font-size: 0.85rem; }
@media print {
  :root { --ink: #000; --soft: #444; --paper: #fff; --card: #f3f3f3; --line: #bbb; color-scheme: light; }
  html { font-size: 11px; }
  body { font-size: 1rem; max-width: none; padding: 0; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  figure, .finding, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  details:not([open]) { display: none; }
}
`;
