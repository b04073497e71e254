import { describe, expect, it } from '@jest/globals';
import { resizeImage, squareImage } from './resize.js';

const grey = (rows: number[][]) => ({
  data: Uint8Array.from(rows.flat()),
  shape: [rows.length, rows[0]!.length, 1] as const,
});

describe('resizing', () => {
  it('weighs pixels by a triangle that is as wide as the new pixel', () => {
    // centres of the new pixels are at 1 and 3; those at 0.5, 1.5, 2.5 weigh 3, 3, 1 of 7 at the border
    const { data, shape } = resizeImage(grey([[0, 70, 140, 210]]), 1, 2);
    expect(shape).toEqual([1, 2, 1]);
    expect([...data]).toEqual([50, 160]);
  });

  it('to half the size averages alike in both directions', () => {
    const image = grey([
      [10, 10, 90, 90],
      [10, 10, 90, 90],
      [50, 50, 130, 130],
      [50, 50, 130, 130],
    ]);
    // along a row: (3*10 + 3*10 + 90) / 7 = 21.4 and (10 + 3*90 + 3*90) / 7 = 78.6
    expect([...resizeImage(image, 2, 2).data]).toEqual([27, 85, 55, 113]);
  });

  it('to a larger size interpolates', () => {
    expect([...resizeImage(grey([[0, 100]]), 1, 4).data]).toEqual([0, 25, 75, 100]);
  });

  it('keeps one colour, and every channel by itself', () => {
    const data = Uint8Array.from({ length: 7 * 5 * 3 }, (_, i) => [200, 3, 255][i % 3]!);
    const { data: small } = resizeImage({ data, shape: [7, 5, 3] }, 3, 4);
    small.forEach((value, i) => expect(value).toBe([200, 3, 255][i % 3]));
  });

  it('to a square keeps the middle of the longer side, and a square of that size as it is', () => {
    const { data, shape } = squareImage(
      grey([
        [1, 2, 3, 4, 5, 6],
        [1, 2, 3, 4, 5, 6],
      ]),
      2,
    );
    expect(shape).toEqual([2, 2, 1]);
    expect([...data]).toEqual([3, 4, 3, 4]);
    const same = grey([
      [1, 2],
      [3, 4],
    ]);
    expect(squareImage(same, 2)).toBe(same);
  });
});
