/**
 * Batch normalisation over a matrix [rows, channels]. Sums run over chunks of rows that fit the first cache and are
 * merged chunk by chunk: one pass over the memory, and rounding errors that grow with rows / chunk instead of rows.
 */
const CHUNK_FLOATS: i32 = 4096;

function chunkRows(channels: i32): i32 {
  return max(8, CHUNK_FLOATS / channels);
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

/** Mean and biased variance per channel; chunks are merged as in Chan, Golub and LeVeque (1983), Eq. 2.1. */
export function batchStatistics(x: usize, rows: i32, channels: i32, mean: usize, variance: usize): void {
  const rowBytes = channels << 2,
    vectors = channels & ~3,
    chunk = chunkRows(channels);
  memory.fill(mean, 0, rowBytes);
  memory.fill(variance, 0, rowBytes);
  for (let begin = 0; begin < rows; begin += chunk) {
    const count = min(chunk, rows - begin);
    const start = x + <usize>begin * rowBytes;
    const share: f32 = <f32>count / <f32>(begin + count);
    const cross: f32 = <f32>begin * share;
    for (let c = 0; c < vectors; c += 4) {
      const at = c << 2;
      const chunkMean = f32x4.div(sum4(start + at, count, rowBytes), f32x4.splat(<f32>count));
      const squares = deviations4(start + at, count, rowBytes, chunkMean);
      const old = v128.load(mean + at);
      const delta = f32x4.sub(chunkMean, old);
      v128.store(mean + at, f32x4.add(old, f32x4.mul(delta, f32x4.splat(share))));
      const between = f32x4.mul(f32x4.mul(delta, delta), f32x4.splat(cross));
      v128.store(variance + at, f32x4.add(v128.load(variance + at), f32x4.add(squares, between)));
    }
    for (let c = vectors; c < channels; c++) {
      const at = c << 2;
      let sum: f32 = 0,
        squares: f32 = 0;
      for (let row = 0; row < count; row++) sum += load<f32>(start + row * rowBytes + at);
      const chunkMean = sum / <f32>count;
      for (let row = 0; row < count; row++) {
        const d = load<f32>(start + row * rowBytes + at) - chunkMean;
        squares += d * d;
      }
      const delta = chunkMean - load<f32>(mean + at);
      store<f32>(mean + at, load<f32>(mean + at) + delta * share);
      store<f32>(variance + at, load<f32>(variance + at) + squares + delta * delta * cross);
    }
  }
  for (let at = 0; at < rowBytes; at += 4) store<f32>(variance + at, load<f32>(variance + at) / <f32>rows);
}

/** scale = gamma / sqrt(variance + epsilon) */
export function normScale(gamma: usize, variance: usize, scale: usize, channels: i32, epsilon: f32): void {
  for (let at = 0; at < channels << 2; at += 4)
    store<f32>(scale + at, load<f32>(gamma + at) / sqrt<f32>(load<f32>(variance + at) + epsilon));
}

/** y = (x - mean) * scale + beta */
export function normApply(x: usize, y: usize, rows: i32, channels: i32, mean: usize, scale: usize, beta: usize): void {
  const rowBytes = channels << 2,
    vectorBytes = (channels & ~3) << 2;
  for (let row = 0; row < rows; row++, x += rowBytes, y += rowBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      const centred = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      v128.store(y + at, f32x4.add(f32x4.mul(centred, v128.load(scale + at)), v128.load(beta + at)));
    }
    for (; at < rowBytes; at += 4) {
      store<f32>(y + at, (load<f32>(x + at) - load<f32>(mean + at)) * load<f32>(scale + at) + load<f32>(beta + at));
    }
  }
}

/** dx = dy * scale */
export function normScaleRows(dy: usize, dx: usize, rows: i32, channels: i32, scale: usize): void {
  const rowBytes = channels << 2,
    vectorBytes = (channels & ~3) << 2;
  for (let row = 0; row < rows; row++, dy += rowBytes, dx += rowBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) v128.store(dx + at, f32x4.mul(v128.load(dy + at), v128.load(scale + at)));
    for (; at < rowBytes; at += 4) store<f32>(dx + at, load<f32>(dy + at) * load<f32>(scale + at));
  }
}

/** dBeta = sum of dy; dGamma = sum of dy * (x - mean) / sqrt(variance + epsilon) */
export function normSums(
  dy: usize,
  x: usize,
  rows: i32,
  channels: i32,
  mean: usize,
  variance: usize,
  dGamma: usize,
  dBeta: usize,
  epsilon: f32,
): void {
  const rowBytes = channels << 2,
    vectors = channels & ~3,
    chunk = chunkRows(channels);
  memory.fill(dGamma, 0, rowBytes);
  memory.fill(dBeta, 0, rowBytes);
  for (let begin = 0; begin < rows; begin += chunk) {
    const count = min(chunk, rows - begin);
    const offset = <usize>begin * rowBytes;
    for (let c = 0; c < vectors; c += 4) {
      const at = c << 2;
      const centre = v128.load(mean + at);
      let g = dy + offset + at,
        v = x + offset + at;
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
      v128.store(dBeta + at, f32x4.add(v128.load(dBeta + at), f32x4.add(b0, b1)));
      v128.store(dGamma + at, f32x4.add(v128.load(dGamma + at), f32x4.add(g0, g1)));
    }
    for (let c = vectors; c < channels; c++) {
      const at = c << 2;
      let b: f32 = 0,
        g: f32 = 0;
      for (let row = 0; row < count; row++) {
        const d = load<f32>(dy + offset + row * rowBytes + at);
        b += d;
        g += d * (load<f32>(x + offset + row * rowBytes + at) - load<f32>(mean + at));
      }
      store<f32>(dBeta + at, load<f32>(dBeta + at) + b);
      store<f32>(dGamma + at, load<f32>(dGamma + at) + g);
    }
  }
  for (let at = 0; at < rowBytes; at += 4)
    store<f32>(dGamma + at, load<f32>(dGamma + at) / sqrt<f32>(load<f32>(variance + at) + epsilon));
}

/**
 * dx = scale * (dy - dBeta / rows - (x - mean) * dGamma / (rows * sqrt(variance + epsilon))), scale = gamma / sqrt(variance + epsilon)
 * `coefficients` is scratch for three rows of channels.
 */
export function normInputGrad(
  dy: usize,
  x: usize,
  dx: usize,
  rows: i32,
  channels: i32,
  gamma: usize,
  mean: usize,
  variance: usize,
  dGamma: usize,
  dBeta: usize,
  coefficients: usize,
  epsilon: f32,
): void {
  const rowBytes = channels << 2,
    vectorBytes = (channels & ~3) << 2;
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
  for (let row = 0; row < rows; row++, dy += rowBytes, x += rowBytes, dx += rowBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      const direct = f32x4.mul(v128.load(dy + at), v128.load(scale + at));
      const centred = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      v128.store(
        dx + at,
        f32x4.add(direct, f32x4.add(f32x4.mul(centred, v128.load(slope + at)), v128.load(shift + at))),
      );
    }
    for (; at < rowBytes; at += 4) {
      const centred = load<f32>(x + at) - load<f32>(mean + at);
      store<f32>(
        dx + at,
        load<f32>(dy + at) * load<f32>(scale + at) + (centred * load<f32>(slope + at) + load<f32>(shift + at)),
      );
    }
  }
}
