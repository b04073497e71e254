/** Images [batch, height, width * channels] to be copied into ones with zero margins; margins in rows and in bytes. */
@unmanaged
class PadJob {
  source!: usize;
  target!: usize;
  batch!: i32;
  height!: i32;
  rowBytes!: i32;
  top!: i32;
  bottom!: i32;
  left!: i32;
  right!: i32;
  unitRows!: i32; // padded rows of a unit
}

/** Some padded rows, counted over all images. */
export function padUnit(job: PadJob, unit: i32, thread: i32): void {
  const height = job.height,
    left = job.left,
    right = job.right,
    rowBytes = job.rowBytes;
  const paddedHeight = job.top + height + job.bottom,
    paddedRow = left + rowBytes + right;
  const first = unit * job.unitRows;
  const last = min(first + job.unitRows, job.batch * paddedHeight);
  let image = first / paddedHeight;
  let y = first - image * paddedHeight - job.top;
  let target = job.target + <usize>first * paddedRow;
  for (let row = first; row < last; row++, target += paddedRow) {
    if (y < 0 || y >= height) memory.fill(target, 0, paddedRow);
    else {
      memory.fill(target, 0, left);
      memory.copy(target + left, job.source + <usize>(image * height + y) * rowBytes, rowBytes);
      memory.fill(target + left + rowBytes, 0, right);
    }
    if (++y == height + job.bottom) {
      y = -job.top;
      image++;
    }
  }
}

/** A matrix that becomes panels of eight columns. */
@unmanaged
class PackJob {
  source!: usize;
  target!: usize;
  depth!: i32;
  columns!: i32;
  panelBytes!: i32; // from one panel to the next
}

/** Columns [8 unit, 8 unit + 8) of a matrix [depth, columns] as [depth][8]; absent ones are zero. */
export function packPanelsUnit(job: PackJob, unit: i32, thread: i32): void {
  const depth = job.depth,
    rowBytes = job.columns << 2,
    rest = job.columns - (unit << 3);
  let from = job.source + (unit << 5),
    target = job.target + <usize>unit * job.panelBytes;
  if (rest >= 8) {
    for (let k = 0; k < depth; k++) {
      v128.store(target, v128.load(from));
      v128.store(target, v128.load(from, 16), 16);
      from += rowBytes;
      target += 32;
    }
    return;
  }
  memory.fill(target, 0, depth << 5);
  for (let k = 0; k < depth; k++) {
    for (let lane = 0; lane < rest; lane++) store<f32>(target + (lane << 2), load<f32>(from + (lane << 2)));
    from += rowBytes;
    target += 32;
  }
}

/** Rows [8 unit, 8 unit + 8) of one tap [columns, depth] of a filter, transposed into [depth][8]. */
export function packTransposedUnit(job: PackJob, unit: i32, thread: i32): void {
  const depth = job.depth,
    rowBytes = depth << 2,
    column = unit << 3,
    target = job.target + <usize>unit * job.panelBytes;
  const valid = min(8, job.columns - column);
  if (valid < 8) memory.fill(target, 0, depth << 5);
  for (let half = 0; half < valid; half += 4) {
    const from = job.source + (column + half) * rowBytes;
    let to = target + (half << 2);
    let k = 0;
    if (half + 4 <= valid) {
      for (; k + 4 <= depth; k += 4, to += 128) {
        const at = from + (k << 2);
        const r0 = v128.load(at),
          r1 = v128.load(at + rowBytes),
          r2 = v128.load(at + 2 * rowBytes),
          r3 = v128.load(at + 3 * rowBytes);
        const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5),
          t1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
        const t2 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5),
          t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
        v128.store(to, v128.shuffle<f64>(t0, t2, 0, 2));
        v128.store(to, v128.shuffle<f64>(t0, t2, 1, 3), 32);
        v128.store(to, v128.shuffle<f64>(t1, t3, 0, 2), 64);
        v128.store(to, v128.shuffle<f64>(t1, t3, 1, 3), 96);
      }
    }
    for (; k < depth; k++, to += 32) {
      for (let lane = 0; lane < min(4, valid - half); lane++)
        store<f32>(to + (lane << 2), load<f32>(from + lane * rowBytes + (k << 2)));
    }
  }
}
