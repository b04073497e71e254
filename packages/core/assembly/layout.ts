/** Copies images [batch, height, width * channels] into ones with zero margins; margins in rows and in bytes. */
export function padImages(
  source: usize,
  target: usize,
  batch: i32,
  height: i32,
  rowBytes: i32,
  top: i32,
  bottom: i32,
  left: i32,
  right: i32,
): void {
  const paddedRow = left + rowBytes + right;
  for (let image = 0; image < batch; image++) {
    memory.fill(target, 0, top * paddedRow);
    target += top * paddedRow;
    for (let row = 0; row < height; row++) {
      memory.fill(target, 0, left);
      memory.copy(target + left, source, rowBytes);
      memory.fill(target + left + rowBytes, 0, right);
      target += paddedRow;
      source += rowBytes;
    }
    memory.fill(target, 0, bottom * paddedRow);
    target += bottom * paddedRow;
  }
}

/** A matrix [depth, columns] as panels [columns / 8][depth][8], the last one filled up with zeros. */
export function packPanels(source: usize, target: usize, depth: i32, columns: i32): void {
  const rowBytes = columns << 2;
  for (let column = 0; column < columns; column += 8) {
    let from = source + (column << 2);
    if (column + 8 <= columns) {
      for (let k = 0; k < depth; k++) {
        v128.store(target, v128.load(from));
        v128.store(target, v128.load(from, 16), 16);
        from += rowBytes;
        target += 32;
      }
    } else {
      const rest = columns - column;
      memory.fill(target, 0, depth << 5);
      for (let k = 0; k < depth; k++) {
        memory.copy(target, from, rest << 2);
        from += rowBytes;
        target += 32;
      }
    }
  }
}

/**
 * One tap [columns, depth] of a filter, transposed into panels [columns / 8][...][8] at `target`; panels are
 * `panelBytes` apart.
 */
export function packTransposed(source: usize, target: usize, columns: i32, depth: i32, panelBytes: i32): void {
  const rowBytes = depth << 2;
  for (let column = 0; column < columns; column += 8, target += panelBytes) {
    const valid = min(8, columns - column);
    if (valid < 8) memory.fill(target, 0, depth << 5);
    for (let half = 0; half < valid; half += 4) {
      const from = source + (column + half) * rowBytes;
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
        for (let lane = 0; lane < min(4, valid - half); lane++) {
          store<f32>(to + (lane << 2), load<f32>(from + lane * rowBytes + (k << 2)));
        }
      }
    }
  }
}
