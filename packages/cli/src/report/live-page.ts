import { reportBody } from './build-report.js';
import { choicesBar, chosenBy, type View } from './live-view.js';
import { Html, html } from './page/html.js';
import type { RunRecord } from './read-run.js';

/** Runs in the page: asks for the report again when the server says that something changed, or the reader wants to see other runs. */
export const script = `
const filter = document.querySelector('input[name=filter]');
const wanted = () => new URLSearchParams(location.hash.slice(1));
const refresh = async () => {
  const query = wanted().toString();
  const text = await (await fetch('/body' + (query && '?' + query))).text();
  if (query !== wanted().toString()) return;
  const opened = new Set([...document.querySelectorAll('details[open] > summary')].map((part) => part.textContent));
  document.querySelector('main').outerHTML = text;
  document.querySelectorAll('details').forEach((part) => { part.open ||= opened.has(part.querySelector('summary').textContent); });
};
const want = (change) => {
  const next = wanted();
  change(next);
  history.replaceState(null, '', '#' + next);
  refresh();
};
document.addEventListener('change', ({ target }) => {
  if (target.type !== 'checkbox') return;
  want((next) => {
    const others = next.getAll('hide').filter((label) => label !== target.value);
    next.delete('hide');
    for (const label of target.checked ? others : [...others, target.value]) next.append('hide', label);
  });
});
let typing;
filter?.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => want((next) => filter.value.trim() ? next.set('filter', filter.value.trim()) : next.delete('filter')), 150);
});
filter?.form.addEventListener('submit', (event) => event.preventDefault());
const follow = () => { if (filter) filter.value = wanted().get('filter') ?? ''; refresh(); };
addEventListener('hashchange', follow);
const events = new EventSource('/events');
events.onmessage = refresh;
events.onerror = () => { document.title = '(not connected) ' + document.title.replace(/^\\(not connected\\) /, ''); };
events.onopen = () => { document.title = document.title.replace(/^\\(not connected\\) /, ''); follow(); };
`;

const mostViews = 32;

/** The reports of a set of runs as they are now, by what a page wants to see; each is made once. */
export function liveBodies(runs: readonly RunRecord[]): (view: View) => Promise<string> {
  const written = new Date();
  const made = new Map<string, Promise<string>>();
  const make = async (view: View): Promise<string> => {
    if (runs.length === 1) return (await reportBody(runs, { written })).text;
    const { choices, shown } = chosenBy(view, runs);
    const bar = choicesBar(choices, runs);
    if (shown.length === 0) return html`<main>${bar}</main>`.text;
    const { text } = await reportBody(shown, { written });
    return html`<main>${bar}${Html.own(text.replace(/^<main>|<\/main>$/g, ''))}</main>`.text;
  };
  return (view) => {
    const key = JSON.stringify([view.words, [...view.hidden].sort()]);
    const known = made.get(key);
    if (known) return known;
    if (made.size >= mostViews) made.delete(made.keys().next().value!);
    const body = make(view);
    made.set(key, body);
    body.catch(() => made.delete(key));
    return body;
  };
}
