/** Advance widths of DejaVu Sans in units of the font size, by kind of character; the fonts of screens are no wider. */
const kinds: readonly (readonly [RegExp, number])[] = [
  [/[ijl.,:;'|! ]/, 0.31],
  [/[frt()[\]/\-I"]/, 0.39],
  [/[mwMWQ@%&]/, 0.92],
  [/[A-Z]/, 0.68],
];
const usual = 0.61;

const widthOf = (char: string) => kinds.find(([kind]) => kind.test(char))?.[1] ?? usual;

/** Width of a line of text in pixels: enough to lay a chart out where there is no screen to measure it on. */
export function textWidth(text: string, font: { readonly size: number; readonly bold: boolean }): number {
  const width = [...text].reduce((sum, char) => sum + widthOf(char), 0);
  return width * font.size * (font.bold ? 1.12 : 1);
}
