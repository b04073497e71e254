import { madd } from './simd';

/**
 * The gradient of one convolution with respect to its filter: for every tap and input channel (a row of the result)
 * the products of the input with dy, summed over all pixels. Rows come in runs (the kernel's columns times the input
 * channels), which are consecutive floats of the padded input.
 */
@unmanaged
class FilterJob {
  input!: usize; // padded input
  gradient!: usize; // dy [batch * gridHeight * gridWidth, outChannels]
  output!: usize; // [rows * run, outChannels]
  batch!: i32;
  gridHeight!: i32;
  gridWidth!: i32;
  inputImage!: i32; // strides in bytes, per pixel of the grid
  inputRow!: i32;
  inputColumn!: i32;
  outChannels!: i32;
  rows!: i32;
  run!: i32;
  rowTap!: i32;
  tileRows!: i32; // image rows whose dy is packed at once, to stay in the cache
  unitRows!: i32; // a unit is one panel, so many rows of taps, and so many floats of their runs (a multiple of 5)
  unitRun!: i32;
  scratch!: usize; // per thread: sums [unitRows][unitRun][8], then dy of a tile [pixels][8]
  scratchBytes!: i32;
}

/** dy of `count` pixels, eight channels from `panel` on, densely packed; absent channels are zero. */
function packGradient(job: FilterJob, panel: i32, firstPixel: i32, count: i32, target: usize): void {
  const rowBytes = job.outChannels << 2;
  let from: usize = job.gradient + firstPixel * rowBytes + (panel << 5);
  const width = min(8, job.outChannels - (panel << 3));
  for (let pixel = 0; pixel < count; pixel++, from += rowBytes, target += 32) {
    if (width == 8) {
      v128.store(target, v128.load(from));
      v128.store(target, v128.load(from, 16), 16);
    } else {
      for (let lane = 0; lane < 8; lane++)
        store<f32>(target + (lane << 2), lane < width ? load<f32>(from + (lane << 2)) : 0);
    }
  }
}

/** Adds a tile of image rows to five rows of sums at `sums`. */
function addTile(job: FilterJob, start: usize, gradient: usize, sums: usize, startY: i32, imageRows: i32): void {
  const gridWidth = job.gridWidth,
    gridHeight = job.gridHeight,
    inputColumn = job.inputColumn;
  const inputWrap = job.inputRow - gridWidth * inputColumn;
  const imageWrap = job.inputImage - gridHeight * job.inputRow;
  let c00 = v128.load(sums),
    c01 = v128.load(sums, 16),
    c10 = v128.load(sums, 32),
    c11 = v128.load(sums, 48);
  let c20 = v128.load(sums, 64),
    c21 = v128.load(sums, 80),
    c30 = v128.load(sums, 96),
    c31 = v128.load(sums, 112);
  let c40 = v128.load(sums, 128),
    c41 = v128.load(sums, 144);
  let a = start,
    g = gradient,
    y = startY;
  for (let row = 0; row < imageRows; row++) {
    for (let x = gridWidth; x > 0; x--) {
      const b0 = v128.load(g),
        b1 = v128.load(g, 16);
      let v = v128.load32_splat(a);
      c00 = madd(v, b0, c00);
      c01 = madd(v, b1, c01);
      v = v128.load32_splat(a, 4);
      c10 = madd(v, b0, c10);
      c11 = madd(v, b1, c11);
      v = v128.load32_splat(a, 8);
      c20 = madd(v, b0, c20);
      c21 = madd(v, b1, c21);
      v = v128.load32_splat(a, 12);
      c30 = madd(v, b0, c30);
      c31 = madd(v, b1, c31);
      v = v128.load32_splat(a, 16);
      c40 = madd(v, b0, c40);
      c41 = madd(v, b1, c41);
      a += inputColumn;
      g += 32;
    }
    a += inputWrap;
    if (++y == gridHeight) {
      y = 0;
      a += imageWrap;
    }
  }
  v128.store(sums, c00);
  v128.store(sums, c01, 16);
  v128.store(sums, c10, 32);
  v128.store(sums, c11, 48);
  v128.store(sums, c20, 64);
  v128.store(sums, c21, 80);
  v128.store(sums, c30, 96);
  v128.store(sums, c31, 112);
  v128.store(sums, c40, 128);
  v128.store(sums, c41, 144);
}

/** Output channels [8 panel, 8 panel + 8) of some taps; the order of every sum is the same however units are cut. */
export function filterUnit(job: FilterJob, unit: i32, thread: i32): void {
  const gridHeight = job.gridHeight,
    gridWidth = job.gridWidth,
    tileRows = job.tileRows;
  const rowUnits = (job.rows + job.unitRows - 1) / job.unitRows,
    runUnits = (job.run + job.unitRun - 1) / job.unitRun;
  const panel = unit / (rowUnits * runUnits);
  const rest = unit - panel * rowUnits * runUnits;
  const firstRow = (rest / runUnits) * job.unitRows,
    firstRun = (rest % runUnits) * job.unitRun;
  const rows = min(job.unitRows, job.rows - firstRow),
    run = min(job.unitRun, job.run - firstRun);
  const runBytes = ((run + 4) / 5) * 160;
  const sums = job.scratch + thread * job.scratchBytes;
  const packed = sums + rows * runBytes;
  memory.fill(sums, 0, rows * runBytes);
  const allRows = job.batch * gridHeight;
  for (let begin = 0; begin < allRows; begin += tileRows) {
    const count = min(tileRows, allRows - begin);
    packGradient(job, panel, begin * gridWidth, count * gridWidth, packed);
    const image = begin / gridHeight,
      y = begin - image * gridHeight;
    const corner: usize =
      job.input + image * job.inputImage + y * job.inputRow + firstRow * job.rowTap + (firstRun << 2);
    for (let row = 0; row < rows; row++) {
      const start = corner + row * job.rowTap;
      const target = sums + row * runBytes;
      for (let k = 0; k < run; k += 5) addTile(job, start + (k << 2), packed, target + (k << 5), y, count);
    }
  }
  const width = min(8, job.outChannels - (panel << 3));
  const rowBytes = job.outChannels << 2;
  for (let row = 0; row < rows; row++) {
    let from = sums + row * runBytes;
    let to: usize = job.output + ((firstRow + row) * job.run + firstRun) * rowBytes + (panel << 5);
    for (let k = 0; k < run; k++, from += 32, to += rowBytes) {
      if (width == 8) {
        v128.store(to, v128.load(from));
        v128.store(to, v128.load(from, 16), 16);
      } else {
        for (let lane = 0; lane < width; lane++) store<f32>(to + (lane << 2), load<f32>(from + (lane << 2)));
      }
    }
  }
}
