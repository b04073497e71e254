/**
 * Batch normalisation over a matrix [rows, channels]. Sums run over chunks of rows that fit the first cache; a second pass merges what
 * was found in the chunks, in their order: one pass over the memory, rounding errors that grow with rows / chunk instead of rows, and
 * the same numbers on any number of threads.
 */
@unmanaged
class NormJob {
  x!: usize; // [rows, channels]
  dy!: usize; // as x; of the kernels that need it
  y!: usize; // as x, the result of the kernels that have one row by row
  rows!: i32;
  channels!: i32;
  chunk!: i32; // rows of a chunk
  unitRows!: i32; // rows of a unit, whole chunks
  unitChannels!: i32; // channels of a unit that merges, a multiple of 4
  partial!: usize; // [chunks][2][channels]: mean and squared deviations, or dBeta and dGamma, of each chunk
  first!: usize; // [channels]: mean, or dBeta
  second!: usize; // [channels]: variance, or dGamma
  mean!: usize; // [channels] each, of the kernels that read them
  scale!: usize;
  slope!: usize;
  shift!: usize;
}

/** Sum over `rows` of the four channels at `from`. */
function sum4(from: usize, rows: i32, rowBytes: i32): v128 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    row = rows;
  for (; row >= 4; row -= 4) {
    s0 = f32x4.add(s0, v128.load(from));
    from += rowBytes;
    s1 = f32x4.add(s1, v128.load(from));
    from += rowBytes;
    s2 = f32x4.add(s2, v128.load(from));
    from += rowBytes;
    s3 = f32x4.add(s3, v128.load(from));
    from += rowBytes;
  }
  for (; row > 0; row--) {
    s0 = f32x4.add(s0, v128.load(from));
    from += rowBytes;
  }
  return f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
}

/** Sum over `rows` of the squared deviations from `mean`. */
function deviations4(from: usize, rows: i32, rowBytes: i32, mean: v128): v128 {
  let s0 = f32x4.splat(0),
    s1 = s0,
    s2 = s0,
    s3 = s0,
    row = rows;
  for (; row >= 4; row -= 4) {
    let d = f32x4.sub(v128.load(from), mean);
    s0 = f32x4.add(s0, f32x4.mul(d, d));
    from += rowBytes;
    d = f32x4.sub(v128.load(from), mean);
    s1 = f32x4.add(s1, f32x4.mul(d, d));
    from += rowBytes;
    d = f32x4.sub(v128.load(from), mean);
    s2 = f32x4.add(s2, f32x4.mul(d, d));
    from += rowBytes;
    d = f32x4.sub(v128.load(from), mean);
    s3 = f32x4.add(s3, f32x4.mul(d, d));
    from += rowBytes;
  }
  for (; row > 0; row--) {
    const d = f32x4.sub(v128.load(from), mean);
    s0 = f32x4.add(s0, f32x4.mul(d, d));
    from += rowBytes;
  }
  return f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
}

/** Mean and squared deviations per channel of each chunk. */
export function batchStatisticsUnit(job: NormJob, unit: i32, thread: i32): void {
  const channels = job.channels,
    chunk = job.chunk,
    rowBytes = channels << 2,
    vectors = channels & ~3;
  const end = min(job.rows, (unit + 1) * job.unitRows);
  for (let begin = unit * job.unitRows; begin < end; begin += chunk) {
    const count = min(chunk, end - begin);
    const start = job.x + <usize>begin * rowBytes;
    const mean = job.partial + <usize>(begin / chunk) * (rowBytes << 1),
      squares = mean + rowBytes;
    for (let c = 0; c < vectors; c += 4) {
      const at = c << 2;
      const chunkMean = f32x4.div(sum4(start + at, count, rowBytes), f32x4.splat(<f32>count));
      v128.store(mean + at, chunkMean);
      v128.store(squares + at, deviations4(start + at, count, rowBytes, chunkMean));
    }
    for (let c = vectors; c < channels; c++) {
      const at = c << 2;
      let sum: f32 = 0,
        square: f32 = 0;
      for (let row = 0; row < count; row++) sum += load<f32>(start + row * rowBytes + at);
      const chunkMean = sum / <f32>count;
      for (let row = 0; row < count; row++) {
        const d = load<f32>(start + row * rowBytes + at) - chunkMean;
        square += d * d;
      }
      store<f32>(mean + at, chunkMean);
      store<f32>(squares + at, square);
    }
  }
}

/** Mean and biased variance of some channels from those of the chunks, as in Chan, Golub and LeVeque (1983), Eq. 2.1. */
export function mergeStatisticsUnit(job: NormJob, unit: i32, thread: i32): void {
  const rows = job.rows,
    rowBytes = job.channels << 2;
  const first = (unit * job.unitChannels) << 2,
    last = min(rowBytes, first + (job.unitChannels << 2)),
    vectors = first + ((last - first) & ~15);
  memory.fill(job.first + first, 0, last - first);
  memory.fill(job.second + first, 0, last - first);
  let mean = job.partial;
  for (let begin = 0; begin < rows; begin += job.chunk, mean += rowBytes << 1) {
    const squares = mean + rowBytes;
    const count = min(job.chunk, rows - begin);
    const share: f32 = <f32>count / <f32>(begin + count);
    const cross: f32 = <f32>begin * share;
    let at = first;
    for (; at < vectors; at += 16) {
      const old = v128.load(job.first + at);
      const delta = f32x4.sub(v128.load(mean + at), old);
      v128.store(job.first + at, f32x4.add(old, f32x4.mul(delta, f32x4.splat(share))));
      const between = f32x4.mul(f32x4.mul(delta, delta), f32x4.splat(cross));
      v128.store(job.second + at, f32x4.add(v128.load(job.second + at), f32x4.add(v128.load(squares + at), between)));
    }
    for (; at < last; at += 4) {
      const delta = load<f32>(mean + at) - load<f32>(job.first + at);
      store<f32>(job.first + at, load<f32>(job.first + at) + delta * share);
      store<f32>(job.second + at, load<f32>(job.second + at) + load<f32>(squares + at) + delta * delta * cross);
    }
  }
  for (let at = first; at < last; at += 4) store<f32>(job.second + at, load<f32>(job.second + at) / <f32>rows);
}

/** scale = gamma / sqrt(variance + epsilon) */
export function normScale(gamma: usize, variance: usize, scale: usize, channels: i32, epsilon: f32): void {
  for (let at = 0; at < channels << 2; at += 4)
    store<f32>(scale + at, load<f32>(gamma + at) / sqrt<f32>(load<f32>(variance + at) + epsilon));
}

/** y = (x - mean) * scale + shift */
export function normApplyUnit(job: NormJob, unit: i32, thread: i32): void {
  const rowBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2,
    mean = job.mean,
    scale = job.scale,
    shift = job.shift;
  const begin = unit * job.unitRows,
    end = min(job.rows, begin + job.unitRows);
  let x = job.x + <usize>begin * rowBytes,
    y = job.y + <usize>begin * rowBytes;
  for (let row = begin; row < end; row++, x += rowBytes, y += rowBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      const centred = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      v128.store(y + at, f32x4.add(f32x4.mul(centred, v128.load(scale + at)), v128.load(shift + at)));
    }
    for (; at < rowBytes; at += 4) {
      store<f32>(y + at, (load<f32>(x + at) - load<f32>(mean + at)) * load<f32>(scale + at) + load<f32>(shift + at));
    }
  }
}

/** y = dy * scale */
export function normScaleRowsUnit(job: NormJob, unit: i32, thread: i32): void {
  const rowBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2,
    scale = job.scale;
  const begin = unit * job.unitRows,
    end = min(job.rows, begin + job.unitRows);
  let dy = job.dy + <usize>begin * rowBytes,
    y = job.y + <usize>begin * rowBytes;
  for (let row = begin; row < end; row++, dy += rowBytes, y += rowBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) v128.store(y + at, f32x4.mul(v128.load(dy + at), v128.load(scale + at)));
    for (; at < rowBytes; at += 4) store<f32>(y + at, load<f32>(dy + at) * load<f32>(scale + at));
  }
}

/** Sums of dy and of dy * (x - mean) per channel of each chunk. */
export function normSumsUnit(job: NormJob, unit: i32, thread: i32): void {
  const channels = job.channels,
    chunk = job.chunk,
    rowBytes = channels << 2,
    vectors = channels & ~3;
  const end = min(job.rows, (unit + 1) * job.unitRows);
  for (let begin = unit * job.unitRows; begin < end; begin += chunk) {
    const count = min(chunk, end - begin);
    const dBeta = job.partial + <usize>(begin / chunk) * (rowBytes << 1),
      dGamma = dBeta + rowBytes;
    const dy = job.dy + <usize>begin * rowBytes,
      x = job.x + <usize>begin * rowBytes;
    for (let c = 0; c < vectors; c += 4) {
      const at = c << 2;
      const centre = v128.load(job.mean + at);
      let g = dy + at,
        v = x + at;
      let b0 = f32x4.splat(0),
        b1 = b0,
        g0 = b0,
        g1 = b0,
        row = count;
      for (; row >= 2; row -= 2) {
        let d = v128.load(g);
        b0 = f32x4.add(b0, d);
        g0 = f32x4.add(g0, f32x4.mul(d, f32x4.sub(v128.load(v), centre)));
        g += rowBytes;
        v += rowBytes;
        d = v128.load(g);
        b1 = f32x4.add(b1, d);
        g1 = f32x4.add(g1, f32x4.mul(d, f32x4.sub(v128.load(v), centre)));
        g += rowBytes;
        v += rowBytes;
      }
      if (row) {
        const d = v128.load(g);
        b0 = f32x4.add(b0, d);
        g0 = f32x4.add(g0, f32x4.mul(d, f32x4.sub(v128.load(v), centre)));
      }
      v128.store(dBeta + at, f32x4.add(b0, b1));
      v128.store(dGamma + at, f32x4.add(g0, g1));
    }
    for (let c = vectors; c < channels; c++) {
      const at = c << 2;
      let b: f32 = 0,
        g: f32 = 0;
      for (let row = 0; row < count; row++) {
        const d = load<f32>(dy + row * rowBytes + at);
        b += d;
        g += d * (load<f32>(x + row * rowBytes + at) - load<f32>(job.mean + at));
      }
      store<f32>(dBeta + at, b);
      store<f32>(dGamma + at, g);
    }
  }
}

/** dBeta = sum of dy, and the sum of dy * (x - mean), of some channels. */
export function mergeSumsUnit(job: NormJob, unit: i32, thread: i32): void {
  const rowBytes = job.channels << 2;
  const first = (unit * job.unitChannels) << 2,
    last = min(rowBytes, first + (job.unitChannels << 2)),
    vectors = first + ((last - first) & ~15);
  memory.fill(job.first + first, 0, last - first);
  memory.fill(job.second + first, 0, last - first);
  let dBeta = job.partial;
  for (let begin = 0; begin < job.rows; begin += job.chunk, dBeta += rowBytes << 1) {
    const dGamma = dBeta + rowBytes;
    let at = first;
    for (; at < vectors; at += 16) {
      v128.store(job.first + at, f32x4.add(v128.load(job.first + at), v128.load(dBeta + at)));
      v128.store(job.second + at, f32x4.add(v128.load(job.second + at), v128.load(dGamma + at)));
    }
    for (; at < last; at += 4) {
      store<f32>(job.first + at, load<f32>(job.first + at) + load<f32>(dBeta + at));
      store<f32>(job.second + at, load<f32>(job.second + at) + load<f32>(dGamma + at));
    }
  }
}

/** dGamma = sum of dy * (x - mean) / sqrt(variance + epsilon) */
export function normGammaGrad(dGamma: usize, variance: usize, channels: i32, epsilon: f32): void {
  for (let at = 0; at < channels << 2; at += 4)
    store<f32>(dGamma + at, load<f32>(dGamma + at) / sqrt<f32>(load<f32>(variance + at) + epsilon));
}

/**
 * What `normInputGradUnit` multiplies and adds per channel: scale = gamma / sqrt(variance + epsilon),
 * slope = -scale * dGamma / (rows * sqrt(variance + epsilon)), shift = -scale * dBeta / rows.
 */
export function normGradCoefficients(
  gamma: usize,
  variance: usize,
  dGamma: usize,
  dBeta: usize,
  coefficients: usize,
  rows: i32,
  channels: i32,
  epsilon: f32,
): void {
  const rowBytes = channels << 2;
  const scale = coefficients,
    slope = coefficients + rowBytes,
    shift = slope + rowBytes;
  for (let at = 0; at < rowBytes; at += 4) {
    const inverse: f32 = <f32>1 / sqrt<f32>(load<f32>(variance + at) + epsilon);
    const factor = load<f32>(gamma + at) * inverse;
    store<f32>(scale + at, factor);
    store<f32>(slope + at, (-factor * inverse * load<f32>(dGamma + at)) / <f32>rows);
    store<f32>(shift + at, (-factor * load<f32>(dBeta + at)) / <f32>rows);
  }
}

/** y = scale * (dy - dBeta / rows - (x - mean) * dGamma / (rows * sqrt(variance + epsilon))), see `normGradCoefficients` */
export function normInputGradUnit(job: NormJob, unit: i32, thread: i32): void {
  const rowBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2,
    mean = job.mean,
    scale = job.scale,
    slope = job.slope,
    shift = job.shift;
  const begin = unit * job.unitRows,
    end = min(job.rows, begin + job.unitRows);
  let x = job.x + <usize>begin * rowBytes,
    dy = job.dy + <usize>begin * rowBytes,
    y = job.y + <usize>begin * rowBytes;
  for (let row = begin; row < end; row++, dy += rowBytes, x += rowBytes, y += rowBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      const direct = f32x4.mul(v128.load(dy + at), v128.load(scale + at));
      const centred = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      v128.store(
        y + at,
        f32x4.add(direct, f32x4.add(f32x4.mul(centred, v128.load(slope + at)), v128.load(shift + at))),
      );
    }
    for (; at < rowBytes; at += 4) {
      const centred = load<f32>(x + at) - load<f32>(mean + at);
      store<f32>(
        y + at,
        load<f32>(dy + at) * load<f32>(scale + at) + (centred * load<f32>(slope + at) + load<f32>(shift + at)),
      );
    }
  }
}
