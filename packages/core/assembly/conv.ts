import { madd } from './simd';

/**
 * One convolution as a matrix product without an im2col buffer. The input is already zero-padded, so the patch of
 * every output pixel consists of `rows` runs of `run` consecutive floats, `rowTap` bytes apart. Five pixels and
 * eight channels are kept in ten vector registers (x64 has 16): 10 multiply-adds for 2 + 5 loads.
 */
@unmanaged
export class ConvJob {
  input!: usize; // padded input
  output!: usize;
  weights!: usize; // panels [outChannels / 8][rows * run][8]
  gridHeight!: i32; // output pixels of this job per image
  gridWidth!: i32;
  inputImage!: i32; // strides in bytes, per pixel of the grid
  inputRow!: i32;
  inputColumn!: i32;
  outputImage!: i32;
  outputRow!: i32;
  outputColumn!: i32;
  outChannels!: i32;
  rows!: i32;
  run!: i32;
  rowTap!: i32;
  bias!: usize; // [outChannels rounded up to 8]
  floor!: f32; // of the outputs: 0 rectifies them, -Infinity leaves them
  pixels!: i32; // of all images; a unit is a tile of them and one panel (for dots: one channel)
  tile!: i32;
  panels!: i32;
}

/** A tile of pixels in a panel of eight output channels. */
export function convUnit(job: ConvJob, unit: i32, thread: i32): void {
  const tile = unit / job.panels;
  const first = tile * job.tile;
  convPanel(job, unit - tile * job.panels, first, min(first + job.tile, job.pixels));
}

/** Output channels [8 panel, 8 panel + 8) of pixels [first, last), counted over images, rows, columns. */
function convPanel(job: ConvJob, panel: i32, first: i32, last: i32): void {
  const gridWidth = job.gridWidth,
    gridHeight = job.gridHeight;
  const inputColumn = job.inputColumn,
    outputColumn = job.outputColumn;
  const inputWrap = job.inputRow - gridWidth * inputColumn;
  const outputWrap = job.outputRow - gridWidth * outputColumn;
  const inputImageWrap = job.inputImage - gridHeight * job.inputRow;
  const outputImageWrap = job.outputImage - gridHeight * job.outputRow;
  const rows = job.rows,
    run = job.run;
  const rowTap = job.rowTap - (run << 2);
  const weights = job.weights + <usize>panel * ((rows * run) << 5);
  const width = min(8, job.outChannels - (panel << 3));
  const bias = job.bias + (panel << 5);

  const imagePixels = gridWidth * gridHeight;
  const image = first / imagePixels;
  let y = (first - image * imagePixels) / gridWidth;
  let x = first - image * imagePixels - y * gridWidth;
  let source: usize = job.input + image * job.inputImage + y * job.inputRow + x * inputColumn;
  let target: usize = job.output + image * job.outputImage + y * job.outputRow + x * outputColumn + (panel << 5);

  for (let pixel = first; pixel < last;) {
    // Past the end the last pixel is computed again: same values, same place.
    const s0 = source,
      t0 = target;
    if (++pixel < last) {
      source += inputColumn;
      target += outputColumn;
      if (++x == gridWidth) {
        x = 0;
        source += inputWrap;
        target += outputWrap;
        if (++y == gridHeight) {
          y = 0;
          source += inputImageWrap;
          target += outputImageWrap;
        }
      }
    }
    const s1 = source,
      t1 = target;
    if (++pixel < last) {
      source += inputColumn;
      target += outputColumn;
      if (++x == gridWidth) {
        x = 0;
        source += inputWrap;
        target += outputWrap;
        if (++y == gridHeight) {
          y = 0;
          source += inputImageWrap;
          target += outputImageWrap;
        }
      }
    }
    const s2 = source,
      t2 = target;
    if (++pixel < last) {
      source += inputColumn;
      target += outputColumn;
      if (++x == gridWidth) {
        x = 0;
        source += inputWrap;
        target += outputWrap;
        if (++y == gridHeight) {
          y = 0;
          source += inputImageWrap;
          target += outputImageWrap;
        }
      }
    }
    const s3 = source,
      t3 = target;
    if (++pixel < last) {
      source += inputColumn;
      target += outputColumn;
      if (++x == gridWidth) {
        x = 0;
        source += inputWrap;
        target += outputWrap;
        if (++y == gridHeight) {
          y = 0;
          source += inputImageWrap;
          target += outputImageWrap;
        }
      }
    }
    const s4 = source,
      t4 = target;
    if (++pixel < last) {
      source += inputColumn;
      target += outputColumn;
      if (++x == gridWidth) {
        x = 0;
        source += inputWrap;
        target += outputWrap;
        if (++y == gridHeight) {
          y = 0;
          source += inputImageWrap;
          target += outputImageWrap;
        }
      }
    }
    let c00 = v128.load(bias),
      c01 = v128.load(bias, 16),
      c10 = c00,
      c11 = c01,
      c20 = c00,
      c21 = c01,
      c30 = c00,
      c31 = c01,
      c40 = c00,
      c41 = c01;
    let a0 = s0,
      a1 = s1,
      a2 = s2,
      a3 = s3,
      a4 = s4,
      w = weights;
    for (let row = 0; row < rows; row++) {
      let k = run;
      for (; k >= 2; k -= 2) {
        let b0 = v128.load(w),
          b1 = v128.load(w, 16);
        let v = v128.load32_splat(a0);
        c00 = madd(v, b0, c00);
        c01 = madd(v, b1, c01);
        v = v128.load32_splat(a1);
        c10 = madd(v, b0, c10);
        c11 = madd(v, b1, c11);
        v = v128.load32_splat(a2);
        c20 = madd(v, b0, c20);
        c21 = madd(v, b1, c21);
        v = v128.load32_splat(a3);
        c30 = madd(v, b0, c30);
        c31 = madd(v, b1, c31);
        v = v128.load32_splat(a4);
        c40 = madd(v, b0, c40);
        c41 = madd(v, b1, c41);
        b0 = v128.load(w, 32);
        b1 = v128.load(w, 48);
        v = v128.load32_splat(a0, 4);
        c00 = madd(v, b0, c00);
        c01 = madd(v, b1, c01);
        v = v128.load32_splat(a1, 4);
        c10 = madd(v, b0, c10);
        c11 = madd(v, b1, c11);
        v = v128.load32_splat(a2, 4);
        c20 = madd(v, b0, c20);
        c21 = madd(v, b1, c21);
        v = v128.load32_splat(a3, 4);
        c30 = madd(v, b0, c30);
        c31 = madd(v, b1, c31);
        v = v128.load32_splat(a4, 4);
        c40 = madd(v, b0, c40);
        c41 = madd(v, b1, c41);
        a0 += 8;
        a1 += 8;
        a2 += 8;
        a3 += 8;
        a4 += 8;
        w += 64;
      }
      if (k) {
        let b0 = v128.load(w),
          b1 = v128.load(w, 16);
        let v = v128.load32_splat(a0);
        c00 = madd(v, b0, c00);
        c01 = madd(v, b1, c01);
        v = v128.load32_splat(a1);
        c10 = madd(v, b0, c10);
        c11 = madd(v, b1, c11);
        v = v128.load32_splat(a2);
        c20 = madd(v, b0, c20);
        c21 = madd(v, b1, c21);
        v = v128.load32_splat(a3);
        c30 = madd(v, b0, c30);
        c31 = madd(v, b1, c31);
        v = v128.load32_splat(a4);
        c40 = madd(v, b0, c40);
        c41 = madd(v, b1, c41);
        a0 += 4;
        a1 += 4;
        a2 += 4;
        a3 += 4;
        a4 += 4;
        w += 32;
      }
      a0 += rowTap;
      a1 += rowTap;
      a2 += rowTap;
      a3 += rowTap;
      a4 += rowTap;
    }
    // The first argument if neither is greater: NaN stays NaN.
    const floor = f32x4.splat(job.floor);
    store(t0, f32x4.pmax(c00, floor), f32x4.pmax(c01, floor), width);
    store(t1, f32x4.pmax(c10, floor), f32x4.pmax(c11, floor), width);
    store(t2, f32x4.pmax(c20, floor), f32x4.pmax(c21, floor), width);
    store(t3, f32x4.pmax(c30, floor), f32x4.pmax(c31, floor), width);
    store(t4, f32x4.pmax(c40, floor), f32x4.pmax(c41, floor), width);
  }
}

function store(target: usize, low: v128, high: v128, width: i32): void {
  if (width == 8) {
    v128.store(target, low);
    v128.store(target, high, 16);
  } else storePart(target, low, high, width);
}

function storePart(target: usize, low: v128, high: v128, width: i32): void {
  let rest = low;
  if (width >= 4) {
    v128.store(target, low);
    target += 16;
    width -= 4;
    rest = high;
  }
  if (width >= 1) v128.store_lane<f32>(target, rest, 0);
  if (width >= 2) v128.store_lane<f32>(target, rest, 1, 4);
  if (width >= 3) v128.store_lane<f32>(target, rest, 2, 8);
}
