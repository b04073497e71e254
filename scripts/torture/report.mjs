/** Counts attempts and failures of one kind, and keeps the first failures to be shown. */
export function createReport(kind) {
  const failures = [];
  const began = Date.now();
  let attempts = 0;
  return {
    kind,
    attempt: () => void attempts++,
    failure: (text) => void failures.push(text),
    get attempts() {
      return attempts;
    },
    get failures() {
      return failures;
    },
    get seconds() {
      return (Date.now() - began) / 1000;
    },
  };
}

/** The table at the end. */
export function table(reports) {
  const rows = reports.map(({ kind, attempts, failures, seconds }) => [
    kind,
    attempts,
    failures.length,
    seconds.toFixed(0),
  ]);
  const head = ['kind', 'attempts', 'failures', 'seconds'];
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => String(row[i]).length)));
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i]))).join('  ');
  return [head, ...rows].map(line).join('\n');
}
