/**
 * y = a op b, of `size` values in rows of `width`; the last row may be shorter. An operand whose rows are 0 bytes apart is one row that
 * stands for all of them (a vector along the last axis), one whose columns are, too, is a single value. A unit is `unitRows` rows.
 */
@unmanaged
class ArithmeticJob {
  a!: usize;
  b!: usize;
  y!: usize;
  size!: i32;
  width!: i32;
  unitRows!: i32;
  aRow!: i32; // in bytes
  aColumn!: i32;
  bRow!: i32;
  bColumn!: i32;
}

const ADD: i32 = 0;
const SUBTRACT: i32 = 1;
const MULTIPLY: i32 = 2;
const DIVIDE: i32 = 3;
const MAXIMUM: i32 = 4; // NaN stays NaN, in either operand
const MINIMUM: i32 = 5;

/** `op` is a constant wherever these are inlined. */
class Operation {
  @inline
  static vector(op: i32, a: v128, b: v128): v128 {
    if (op == ADD) return f32x4.add(a, b);
    if (op == SUBTRACT) return f32x4.sub(a, b);
    if (op == MULTIPLY) return f32x4.mul(a, b);
    if (op == MAXIMUM) return f32x4.max(a, b);
    if (op == MINIMUM) return f32x4.min(a, b);
    return f32x4.div(a, b);
  }

  @inline
  static single(op: i32, a: f32, b: f32): f32 {
    if (op == ADD) return a + b;
    if (op == SUBTRACT) return a - b;
    if (op == MULTIPLY) return a * b;
    if (op == MAXIMUM) return max<f32>(a, b);
    if (op == MINIMUM) return min<f32>(a, b);
    return a / b;
  }

  @inline
  static rows(op: i32, job: ArithmeticJob, unit: i32): void {
    const size = job.size,
      width = job.width,
      aColumn = job.aColumn,
      bColumn = job.bColumn,
      first = unit * job.unitRows;
    const end = min(size, (first + job.unitRows) * width);
    let rowA: usize = job.a + first * job.aRow,
      rowB: usize = job.b + first * job.bRow,
      y: usize = job.y + ((first * width) << 2);
    for (let begin = first * width; begin < end; begin += width, rowA += job.aRow, rowB += job.bRow) {
      const count = min(width, end - begin);
      const vectors = y + ((count & ~3) << 2),
        last = y + (count << 2);
      let a = rowA,
        b = rowB;
      if (bColumn == 0) {
        const v = v128.load32_splat(b);
        for (; y < vectors; a += 16, y += 16) v128.store(y, Operation.vector(op, v128.load(a), v));
      } else if (aColumn == 0) {
        const v = v128.load32_splat(a);
        for (; y < vectors; b += 16, y += 16) v128.store(y, Operation.vector(op, v, v128.load(b)));
      } else {
        for (; y < vectors; a += 16, b += 16, y += 16) v128.store(y, Operation.vector(op, v128.load(a), v128.load(b)));
      }
      for (; y < last; a += aColumn, b += bColumn, y += 4)
        store<f32>(y, Operation.single(op, load<f32>(a), load<f32>(b)));
    }
  }
}

export function addUnit(job: ArithmeticJob, unit: i32, thread: i32): void {
  Operation.rows(ADD, job, unit);
}

export function subtractUnit(job: ArithmeticJob, unit: i32, thread: i32): void {
  Operation.rows(SUBTRACT, job, unit);
}

export function multiplyUnit(job: ArithmeticJob, unit: i32, thread: i32): void {
  Operation.rows(MULTIPLY, job, unit);
}

export function divideUnit(job: ArithmeticJob, unit: i32, thread: i32): void {
  Operation.rows(DIVIDE, job, unit);
}

export function maximumUnit(job: ArithmeticJob, unit: i32, thread: i32): void {
  Operation.rows(MAXIMUM, job, unit);
}

export function minimumUnit(job: ArithmeticJob, unit: i32, thread: i32): void {
  Operation.rows(MINIMUM, job, unit);
}
