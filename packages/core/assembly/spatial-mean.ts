/** Means over the pixels of images, and the gradient of that; a unit is `unitImages` images. */
@unmanaged
class SpatialMeanJob {
  x!: usize; // [images, pixels, channels], or the gradient in it
  y!: usize; // [images, channels], or the gradient in it
  images!: i32;
  pixels!: i32;
  channels!: i32;
  unitImages!: i32;
}

/** Every channel is summed in the order of the pixels. */
export function spatialMeanUnit(job: SpatialMeanJob, unit: i32, thread: i32): void {
  const pixels = job.pixels,
    rowBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2,
    count = <f32>pixels;
  const last = min(job.images, (unit + 1) * job.unitImages);
  for (let image = unit * job.unitImages; image < last; image++) {
    const x = job.x + <usize>image * pixels * rowBytes,
      y = job.y + <usize>image * rowBytes;
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      let sum = f32x4.splat(0),
        from = x + at;
      for (let pixel = 0; pixel < pixels; pixel++, from += rowBytes) sum = f32x4.add(sum, v128.load(from));
      v128.store(y + at, f32x4.div(sum, f32x4.splat(count)));
    }
    for (; at < rowBytes; at += 4) {
      let sum: f32 = 0,
        from = x + at;
      for (let pixel = 0; pixel < pixels; pixel++, from += rowBytes) sum += load<f32>(from);
      store<f32>(y + at, sum / count);
    }
  }
}

/** Every pixel gets its share of the gradient in its image's mean. */
export function spatialMeanGradUnit(job: SpatialMeanJob, unit: i32, thread: i32): void {
  const pixels = job.pixels,
    rowBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2,
    count = <f32>pixels;
  const last = min(job.images, (unit + 1) * job.unitImages);
  for (let image = unit * job.unitImages; image < last; image++) {
    const dx = job.x + <usize>image * pixels * rowBytes,
      dy = job.y + <usize>image * rowBytes;
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      const share = f32x4.div(v128.load(dy + at), f32x4.splat(count));
      let to = dx + at;
      for (let pixel = 0; pixel < pixels; pixel++, to += rowBytes) v128.store(to, share);
    }
    for (; at < rowBytes; at += 4) {
      const share = load<f32>(dy + at) / count;
      let to = dx + at;
      for (let pixel = 0; pixel < pixels; pixel++, to += rowBytes) store<f32>(to, share);
    }
  }
}
