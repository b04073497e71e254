/**
 * A number of things in words.
 * @example
 * ```ts
 * counted(1, 'epoch'); // => "1 epoch"
 * counted(3, 'epoch'); // => "3 epochs"
 * ```
 * @category Writing plugins
 */
export const counted = (count: number, thing: string, things = `${thing}s`): string =>
  `${count} ${count === 1 ? thing : things}`;
