/** Text that is HTML already. */
export interface Html {
  readonly html: string;
}

export const raw = (html: string): Html => ({ html });

type Part = string | number | Html | readonly Part[] | undefined | false;

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function render(part: Part): string {
  if (part === undefined || part === false) return '';
  if (Array.isArray(part)) return part.map(render).join('');
  if (typeof part === 'object') return (part as Html).html;
  return String(part).replace(/[&<>"']/g, (char) => entities[char]!);
}

/** HTML with everything that is filled in escaped, unless it is HTML already. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return raw(texts.reduce((before, text, i) => before + render(parts[i - 1]) + text));
}
