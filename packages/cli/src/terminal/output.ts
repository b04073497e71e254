import { styleText } from 'node:util';

/** Where a command writes: text for people, or one JSON document for machines. */
export interface Output {
  readonly json: boolean;
  /** A line for people; silent with --json. */
  line(text?: string): void;
  /** The command's result; printed only with --json. */
  result(value: unknown): void;
  warn(text: string): void;
}

export function createOutput(options: { json?: boolean }): Output {
  const json = options.json ?? false;
  return {
    json,
    line: (text = '') => void (json || process.stdout.write(`${text}\n`)),
    result: (value) => void (json && process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)),
    warn: (text) => void process.stderr.write(`${paint('yellow', 'warning')} ${text}\n`),
  };
}

/** Says nothing: for ranks above 0, whose numbers are those of rank 0. */
export const silentOutput: Output = {
  json: true,
  line: () => undefined,
  result: () => undefined,
  warn: () => undefined,
};

type Style = Parameters<typeof styleText>[0];

/** Colour where a person looks; plain text into pipes and files. */
export const paint = (style: Style, text: string): string =>
  process.stdout.isTTY && !process.env['NO_COLOR'] ? styleText(style, text) : text;

/** 75 s as `1m15s`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '-';
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  return [h ? `${h}h` : '', h || m ? `${m}m` : '', h ? '' : `${s}s`].join('');
}

/** 0.4567 as `45.67`. */
export const percent = (share: number | undefined): string => (share === undefined ? '-' : (100 * share).toFixed(2));
