/** Text that is HTML already. Nothing that was read from a file can be one: it is told by its class, not by its form. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** For what this program has written itself: style sheets, drawings. */
  static own(text: string): Html {
    return new Html(text);
  }

  /** The markup. */
  get text(): string {
    return this.#text;
  }
}

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
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(render).join('');
  return String(part).replace(/[&<>"']/g, (char) => entities[char]!);
}

/** HTML with everything that is filled in escaped, unless it is HTML already. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return Html.own(texts.reduce((before, text, i) => before + render(parts[i - 1]) + text));
}
