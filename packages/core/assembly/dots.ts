import { ConvJob } from './conv';
import { madd } from './simd';

/**
 * The convolution of `ConvJob` for few output channels, where vectors of eight would stay mostly empty (the input
 * gradient of a net's first layer): vectors run along the patch instead, and are summed across at the end. Four
 * pixels, each with two sums. Weights: [outChannels][rows][run].
 */

/** [sum of a, sum of b, sum of c, sum of d] */
function across(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f64>(ab, cd, 0, 2), v128.shuffle<f64>(ab, cd, 1, 3));
}

/** A tile of pixels in one output channel. */
export function dotsUnit(job: ConvJob, unit: i32, thread: i32): void {
  const tile = unit / job.panels;
  const first = tile * job.tile;
  convDots(job, unit - tile * job.panels, first, min(first + job.tile, job.pixels));
}

/** Output channel `channel` of pixels [first, last), counted over images, rows, columns. */
function convDots(job: ConvJob, channel: i32, first: i32, last: i32): void {
  const gridWidth = job.gridWidth,
    gridHeight = job.gridHeight;
  const inputColumn = job.inputColumn,
    outputColumn = job.outputColumn;
  const rows = job.rows,
    run = job.run;
  const vectors = run >> 2,
    rest = run & 3;
  const rowTap = job.rowTap - (run << 2);
  const weights = job.weights + <usize>channel * ((rows * run) << 2);

  const imagePixels = gridWidth * gridHeight;
  const image = first / imagePixels;
  let y = (first - image * imagePixels) / gridWidth;
  let x = first - image * imagePixels - y * gridWidth;
  let sourceImage: usize = job.input + image * job.inputImage;
  let targetImage: usize = job.output + image * job.outputImage + (channel << 2);
  let source = sourceImage + y * job.inputRow + x * inputColumn;
  let target = targetImage + y * job.outputRow + x * outputColumn;

  for (let pixel = first; pixel < last;) {
    // Four pixels of one row; at its end, the last one is computed again.
    const count = min(4, min(gridWidth - x, last - pixel));
    let a0 = source,
      a1 = source + (count > 1 ? inputColumn : 0),
      a2 = source + (count > 2 ? inputColumn << 1 : 0),
      a3 = source + (count > 3 ? inputColumn * 3 : 0),
      w = weights;
    let c0 = f32x4.splat(0),
      c1 = c0,
      c2 = c0,
      c3 = c0,
      d0 = c0,
      d1 = c0,
      d2 = c0,
      d3 = c0;
    for (let row = 0; row < rows; row++) {
      let k = vectors;
      for (; k >= 4; k -= 4) {
        let b = v128.load(w);
        c0 = madd(v128.load(a0), b, c0);
        c1 = madd(v128.load(a1), b, c1);
        c2 = madd(v128.load(a2), b, c2);
        c3 = madd(v128.load(a3), b, c3);
        b = v128.load(w, 16);
        d0 = madd(v128.load(a0, 16), b, d0);
        d1 = madd(v128.load(a1, 16), b, d1);
        d2 = madd(v128.load(a2, 16), b, d2);
        d3 = madd(v128.load(a3, 16), b, d3);
        b = v128.load(w, 32);
        c0 = madd(v128.load(a0, 32), b, c0);
        c1 = madd(v128.load(a1, 32), b, c1);
        c2 = madd(v128.load(a2, 32), b, c2);
        c3 = madd(v128.load(a3, 32), b, c3);
        b = v128.load(w, 48);
        d0 = madd(v128.load(a0, 48), b, d0);
        d1 = madd(v128.load(a1, 48), b, d1);
        d2 = madd(v128.load(a2, 48), b, d2);
        d3 = madd(v128.load(a3, 48), b, d3);
        a0 += 64;
        a1 += 64;
        a2 += 64;
        a3 += 64;
        w += 64;
      }
      for (; k > 0; k--) {
        const b = v128.load(w);
        c0 = madd(v128.load(a0), b, c0);
        c1 = madd(v128.load(a1), b, c1);
        c2 = madd(v128.load(a2), b, c2);
        c3 = madd(v128.load(a3), b, c3);
        a0 += 16;
        a1 += 16;
        a2 += 16;
        a3 += 16;
        w += 16;
      }
      for (k = rest; k > 0; k--) {
        const b = v128.load32_zero(w);
        c0 = madd(v128.load32_zero(a0), b, c0);
        c1 = madd(v128.load32_zero(a1), b, c1);
        c2 = madd(v128.load32_zero(a2), b, c2);
        c3 = madd(v128.load32_zero(a3), b, c3);
        a0 += 4;
        a1 += 4;
        a2 += 4;
        a3 += 4;
        w += 4;
      }
      a0 += rowTap;
      a1 += rowTap;
      a2 += rowTap;
      a3 += rowTap;
    }
    const sums = across(f32x4.add(c0, d0), f32x4.add(c1, d1), f32x4.add(c2, d2), f32x4.add(c3, d3));
    v128.store_lane<f32>(target, sums, 0);
    if (count > 1) v128.store_lane<f32>(target + outputColumn, sums, 1);
    if (count > 2) v128.store_lane<f32>(target + (outputColumn << 1), sums, 2);
    if (count > 3) v128.store_lane<f32>(target + outputColumn * 3, sums, 3);
    pixel += count;
    x += count;
    source += count * inputColumn;
    target += count * outputColumn;
    if (x == gridWidth) {
      x = 0;
      if (++y == gridHeight) {
        y = 0;
        sourceImage += job.inputImage;
        targetImage += job.outputImage;
      }
      source = sourceImage + y * job.inputRow;
      target = targetImage + y * job.outputRow;
    }
  }
}
