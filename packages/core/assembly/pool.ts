@unmanaged
class MaxPoolGradJob {
  x!: usize; // [batch, height, width, channels]
  dy!: usize; // [batch, outHeight, outWidth, channels]
  dx!: usize; // as x
  height!: i32;
  width!: i32;
  channels!: i32;
  outHeight!: i32;
  outWidth!: i32;
  strideY!: i32;
  strideX!: i32;
  kernelHeight!: i32;
  kernelWidth!: i32;
  top!: i32;
  left!: i32;
}

/**
 * Gradient of max pooling: dy goes to the first largest value of each window. A unit is one image. (The backend's own starts its search at
 * the smallest positive float, and so loses the gradient of windows without a positive value.)
 */
export function maxPoolGradUnit(job: MaxPoolGradJob, unit: i32, thread: i32): void {
  const height = job.height,
    width = job.width,
    pixelBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2,
    imageBytes = height * width * pixelBytes;
  const x = job.x + <usize>unit * imageBytes,
    dx = job.dx + <usize>unit * imageBytes;
  let dy = job.dy + <usize>unit * job.outHeight * job.outWidth * pixelBytes;
  memory.fill(dx, 0, imageBytes);
  for (let outY = 0; outY < job.outHeight; outY++) {
    const y0 = max(0, outY * job.strideY - job.top);
    const y1 = min(height, outY * job.strideY - job.top + job.kernelHeight);
    for (let outX = 0; outX < job.outWidth; outX++, dy += pixelBytes) {
      const x0 = max(0, outX * job.strideX - job.left);
      const x1 = min(width, outX * job.strideX - job.left + job.kernelWidth);
      let at = 0;
      for (; at < vectorBytes; at += 16) {
        let largest = f32x4.splat(-Infinity);
        for (let row = y0; row < y1; row++) {
          for (let column = x0; column < x1; column++)
            largest = f32x4.pmax(largest, v128.load(x + (row * width + column) * pixelBytes + at));
        }
        // Lanes of dy whose place has been found are cleared.
        let rest = v128.load(dy + at);
        for (let row = y0; row < y1; row++) {
          for (let column = x0; column < x1; column++) {
            const offset = (row * width + column) * pixelBytes + at;
            const here = f32x4.eq(v128.load(x + offset), largest);
            v128.store(dx + offset, f32x4.add(v128.load(dx + offset), v128.and(rest, here)));
            rest = v128.andnot(rest, here);
          }
        }
      }
      for (; at < pixelBytes; at += 4) {
        let largest: f32 = -Infinity;
        let place = -1;
        for (let row = y0; row < y1; row++) {
          for (let column = x0; column < x1; column++) {
            const offset = (row * width + column) * pixelBytes + at;
            const value = load<f32>(x + offset);
            if (place < 0 || value > largest) {
              largest = value;
              place = offset;
            }
          }
        }
        if (place >= 0) store<f32>(dx + place, load<f32>(dx + place) + load<f32>(dy + at));
      }
    }
  }
}
