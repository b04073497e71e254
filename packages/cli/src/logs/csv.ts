type Value = string | number | boolean | undefined | null;

const cell = (value: Value): string => {
  const text = value === undefined || value === null || Number.isNaN(value) ? '' : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Rows as CSV (RFC 4180, but lines end in LF); columns are all keys in order of first appearance. */
export function toCsv(rows: readonly Readonly<Record<string, Value>>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => row[column]))];
  return lines.map((line) => `${line.map(cell).join(',')}\n`).join('');
}
