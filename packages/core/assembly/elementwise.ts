/** Equally shaped tensors a, b, c (as many as the kernel reads) and the result y; a unit is `block` of their values. */
@unmanaged
class ElementwiseJob {
  a!: usize;
  b!: usize;
  c!: usize;
  y!: usize;
  size!: i32;
  block!: i32;
  first!: f32; // options of the kernel
  second!: f32;
}

/** max(a, 0); NaN stays NaN. */
export function reluUnit(job: ElementwiseJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    size = min(job.block, job.size - begin),
    zero = f32x4.splat(0);
  let x = job.a + (begin << 2),
    y = job.y + (begin << 2);
  const end = x + (size << 2),
    vectors = x + ((size & ~3) << 2);
  for (; x < vectors; x += 16, y += 16) v128.store(y, f32x4.pmax(v128.load(x), zero));
  for (; x < end; x += 4, y += 4) {
    const v = load<f32>(x);
    store<f32>(y, v < 0 ? 0 : v);
  }
}

/** min(max(a, first), second); NaN stays NaN. */
export function clipUnit(job: ElementwiseJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    size = min(job.block, job.size - begin),
    low = f32x4.splat(job.first),
    high = f32x4.splat(job.second);
  let x = job.a + (begin << 2),
    y = job.y + (begin << 2);
  const end = x + (size << 2),
    vectors = x + ((size & ~3) << 2);
  for (; x < vectors; x += 16, y += 16) v128.store(y, f32x4.min(f32x4.max(v128.load(x), low), high));
  for (; x < end; x += 4, y += 4) store<f32>(y, min<f32>(max<f32>(load<f32>(x), job.first), job.second));
}

/** a where b > 0, else 0: the gradient a of a rectified b */
export function reluGradUnit(job: ElementwiseJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    size = min(job.block, job.size - begin),
    zero = f32x4.splat(0);
  let dy = job.a + (begin << 2),
    y = job.b + (begin << 2),
    dx = job.y + (begin << 2);
  const end = dy + (size << 2),
    vectors = dy + ((size & ~3) << 2);
  for (; dy < vectors; dy += 16, y += 16, dx += 16)
    v128.store(dx, v128.and(v128.load(dy), f32x4.gt(v128.load(y), zero)));
  for (; dy < end; dy += 4, y += 4, dx += 4) store<f32>(dx, load<f32>(y) > 0 ? load<f32>(dy) : 0);
}

/** (a > 0) - (a < 0) */
export function signOfUnit(job: ElementwiseJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    size = min(job.block, job.size - begin);
  const zero = f32x4.splat(0),
    one = f32x4.splat(1),
    minusOne = f32x4.splat(-1);
  let x = job.a + (begin << 2),
    y = job.y + (begin << 2);
  const end = x + (size << 2),
    vectors = x + ((size & ~3) << 2);
  for (; x < vectors; x += 16, y += 16) {
    const v = v128.load(x);
    v128.store(y, v128.or(v128.and(f32x4.gt(v, zero), one), v128.and(f32x4.lt(v, zero), minusOne)));
  }
  for (; x < end; x += 4, y += 4) {
    const v = load<f32>(x);
    store<f32>(y, v > 0 ? 1 : v < 0 ? -1 : 0);
  }
}

/**
 * Of a point a, gradient b, centre c, step size `first` and radius `second`:
 * clip01(clip(a + first sign(b), c - second, c + second)), each operation rounded as in the composed form
 */
export function signStepUnit(job: ElementwiseJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    size = min(job.block, job.size - begin),
    stepSize = job.first,
    epsilon = job.second;
  const zero = f32x4.splat(0),
    one = f32x4.splat(1),
    radius = f32x4.splat(epsilon);
  const up = f32x4.splat(stepSize),
    down = f32x4.splat(-stepSize);
  let x = job.a + (begin << 2),
    g = job.b + (begin << 2),
    origin = job.c + (begin << 2),
    y = job.y + (begin << 2);
  const end = x + (size << 2),
    vectors = x + ((size & ~3) << 2);
  for (; x < vectors; x += 16, g += 16, origin += 16, y += 16) {
    const slope = v128.load(g),
      centre = v128.load(origin);
    const delta = v128.or(v128.and(f32x4.gt(slope, zero), up), v128.and(f32x4.lt(slope, zero), down));
    let moved = f32x4.add(v128.load(x), delta);
    moved = f32x4.pmin(f32x4.pmax(moved, f32x4.sub(centre, radius)), f32x4.add(centre, radius));
    v128.store(y, f32x4.pmin(f32x4.pmax(moved, zero), one));
  }
  for (; x < end; x += 4, g += 4, origin += 4, y += 4) {
    const slope = load<f32>(g),
      centre = load<f32>(origin);
    let moved = load<f32>(x) + (slope > 0 ? stepSize : slope < 0 ? -stepSize : 0);
    const low = centre - epsilon,
      high = centre + epsilon;
    moved = moved < low ? low : moved;
    moved = high < moved ? high : moved;
    moved = moved < 0 ? 0 : moved;
    store<f32>(y, 1 < moved ? 1 : moved);
  }
}
