/**
 * Gradient of max pooling: dy goes to the first largest value of each window. (The backend's own starts its search at
 * the smallest positive float, and so loses the gradient of windows without a positive value.)
 */
export function maxPoolGrad(
  x: usize,
  dy: usize,
  dx: usize,
  batch: i32,
  height: i32,
  width: i32,
  channels: i32,
  outHeight: i32,
  outWidth: i32,
  strideY: i32,
  strideX: i32,
  kernelHeight: i32,
  kernelWidth: i32,
  top: i32,
  left: i32,
): void {
  const pixelBytes = channels << 2;
  const imageBytes = height * width * pixelBytes;
  const vectorBytes = (channels & ~3) << 2;
  memory.fill(dx, 0, <usize>batch * imageBytes);
  for (let image = 0; image < batch; image++, x += imageBytes, dx += imageBytes) {
    for (let outY = 0; outY < outHeight; outY++) {
      const y0 = max(0, outY * strideY - top);
      const y1 = min(height, outY * strideY - top + kernelHeight);
      for (let outX = 0; outX < outWidth; outX++, dy += pixelBytes) {
        const x0 = max(0, outX * strideX - left);
        const x1 = min(width, outX * strideX - left + kernelWidth);
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
}
