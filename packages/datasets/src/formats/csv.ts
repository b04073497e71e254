import { corrupt } from '../corrupt.js';

/** A table of numbers, with one column that may be text. */
export interface CsvTable {
  readonly columns: readonly string[] | undefined;
  /** Cells of every row as text. Read by `csvRows`, so that a large file is never held as text. */
  rows(): Generator<string[]>;
}

const newline = 0x0a;

function* linesOf(bytes: Uint8Array): Generator<string> {
  for (let from = 0; from < bytes.length;) {
    const at = bytes.indexOf(newline, from);
    const to = at < 0 ? bytes.length : at;
    const line = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('utf8');
    if (line.trim() !== '') yield line.replace(/\r$/, '').replace(/^\ufeff/, '');
    from = to + 1;
  }
}

const unquoted = (cell: string) => cell.trim().replace(/^"(.*)"$/, '$1');

/**
 * Opens a file of values between commas, semicolons or tabs. A first row in which a cell of many is no number holds the names of columns.
 * @throws BulwarkError DATA_CORRUPT, if rows differ in length
 */
export function openCsv(bytes: Uint8Array, file: string): CsvTable {
  const first: string | undefined = linesOf(bytes).next().value as string | undefined;
  if (first === undefined) throw corrupt({ file }, 'is empty', { hint: 'check that it is the file you meant' });
  const [delimiter] = [',', ';', '\t'].toSorted((a, b) => first.split(b).length - first.split(a).length);
  const cells = (line: string) => line.split(delimiter!).map(unquoted);
  const head = cells(first);
  // pixels are numbers: text in more than the column of labels is a header
  const isHeader =
    head.filter((cell) => Number.isNaN(Number(cell))).length > 1 || head.some((cell) => /^labels?$/i.test(cell));
  return {
    columns: isHeader ? head : undefined,
    *rows() {
      let number = 0;
      for (const line of linesOf(bytes)) {
        number++;
        if (number === 1 && isHeader) continue;
        const row = cells(line);
        if (row.length !== head.length)
          throw corrupt({ file }, `line ${number} has ${row.length} values, the first has ${head.length}`, {
            hint: 'write one row for each image, with as many values in each',
          });
        yield row;
      }
    },
  };
}
