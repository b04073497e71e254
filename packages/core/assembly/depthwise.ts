import { madd } from './simd';

/**
 * Convolution of each channel on its own, with as many channels out as in. Taps outside of the image are left out, so that nothing is
 * padded. Vectors run along the channels; those that fill no vector are done one by one.
 */
@unmanaged
class DepthwiseJob {
  x!: usize; // [batch, height, width, channels]
  filter!: usize; // [kernelHeight, kernelWidth, channels]
  y!: usize; // [batch, outHeight, outWidth, channels]
  batch!: i32;
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

/** y of x and filter; a unit is one image */
export function depthwiseUnit(job: DepthwiseJob, unit: i32, thread: i32): void {
  const pixelBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2;
  const rowBytes = job.width * pixelBytes;
  const x = job.x + <usize>unit * job.height * rowBytes,
    filter = job.filter;
  let y = job.y + <usize>unit * job.outHeight * job.outWidth * pixelBytes;
  for (let outY = 0; outY < job.outHeight; outY++) {
    const cornerY = outY * job.strideY - job.top;
    const y0 = max(0, -cornerY),
      y1 = min(job.kernelHeight, job.height - cornerY);
    for (let outX = 0; outX < job.outWidth; outX++, y += pixelBytes) {
      const cornerX = outX * job.strideX - job.left;
      const x0 = max(0, -cornerX),
        x1 = min(job.kernelWidth, job.width - cornerX);
      const corner = x + cornerY * rowBytes + cornerX * pixelBytes;
      let at = 0;
      for (; at < vectorBytes; at += 16) {
        let sum = f32x4.splat(0);
        for (let ky = y0; ky < y1; ky++) {
          for (let kx = x0; kx < x1; kx++) {
            const value = v128.load(corner + ky * rowBytes + kx * pixelBytes + at);
            sum = madd(value, v128.load(filter + (ky * job.kernelWidth + kx) * pixelBytes + at), sum);
          }
        }
        v128.store(y + at, sum);
      }
      for (; at < pixelBytes; at += 4) {
        let sum: f32 = 0;
        for (let ky = y0; ky < y1; ky++) {
          for (let kx = x0; kx < x1; kx++) {
            const value = load<f32>(corner + ky * rowBytes + kx * pixelBytes + at);
            sum += value * load<f32>(filter + (ky * job.kernelWidth + kx) * pixelBytes + at);
          }
        }
        store<f32>(y + at, sum);
      }
    }
  }
}

/** Gradient in x, into x, of a gradient y: every window adds to the pixels under it; a unit is one image */
export function depthwiseInputGradUnit(job: DepthwiseJob, unit: i32, thread: i32): void {
  const pixelBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2;
  const rowBytes = job.width * pixelBytes,
    imageBytes = job.height * rowBytes;
  const dx = job.x + <usize>unit * imageBytes,
    filter = job.filter;
  let dy = job.y + <usize>unit * job.outHeight * job.outWidth * pixelBytes;
  memory.fill(dx, 0, imageBytes);
  for (let outY = 0; outY < job.outHeight; outY++) {
    const cornerY = outY * job.strideY - job.top;
    const y0 = max(0, -cornerY),
      y1 = min(job.kernelHeight, job.height - cornerY);
    for (let outX = 0; outX < job.outWidth; outX++, dy += pixelBytes) {
      const cornerX = outX * job.strideX - job.left;
      const x0 = max(0, -cornerX),
        x1 = min(job.kernelWidth, job.width - cornerX);
      for (let ky = y0; ky < y1; ky++) {
        for (let kx = x0; kx < x1; kx++) {
          const target = dx + (cornerY + ky) * rowBytes + (cornerX + kx) * pixelBytes;
          const weights = filter + (ky * job.kernelWidth + kx) * pixelBytes;
          let at = 0;
          for (; at < vectorBytes; at += 16)
            v128.store(target + at, madd(v128.load(dy + at), v128.load(weights + at), v128.load(target + at)));
          for (; at < pixelBytes; at += 4)
            store<f32>(target + at, load<f32>(target + at) + load<f32>(dy + at) * load<f32>(weights + at));
        }
      }
    }
  }
}

/** Number of the first window along an axis whose tap is inside. */
function firstWindow(tap: i32, before: i32, stride: i32): i32 {
  return max(0, (before - tap + stride - 1) / stride);
}

/** One more than the number of the last one. */
function endWindow(tap: i32, before: i32, stride: i32, size: i32, count: i32): i32 {
  const room = size - 1 + before - tap;
  return room < 0 ? 0 : min(count, room / stride + 1);
}

/**
 * Gradient in the filter, into filter, of a gradient y; a unit is one tap. Summed by rows, then by images, then all: long sums lose
 * digits.
 */
export function depthwiseFilterGradUnit(job: DepthwiseJob, unit: i32, thread: i32): void {
  const pixelBytes = job.channels << 2,
    vectorBytes = (job.channels & ~3) << 2;
  const rowBytes = job.width * pixelBytes,
    imageBytes = job.height * rowBytes;
  const outRowBytes = job.outWidth * pixelBytes,
    outImageBytes = job.outHeight * outRowBytes;
  const ky = unit / job.kernelWidth,
    kx = unit - ky * job.kernelWidth;
  const firstY = firstWindow(ky, job.top, job.strideY),
    endY = endWindow(ky, job.top, job.strideY, job.height, job.outHeight);
  const firstX = firstWindow(kx, job.left, job.strideX),
    endX = endWindow(kx, job.left, job.strideX, job.width, job.outWidth);
  const target = job.filter + unit * pixelBytes;
  const firstPixel = (firstX * job.strideX + kx - job.left) * pixelBytes,
    step = job.strideX * pixelBytes;
  memory.fill(target, 0, pixelBytes);
  let x = job.x,
    dy = job.y;
  for (let image = 0; image < job.batch; image++, x += imageBytes, dy += outImageBytes) {
    let at = 0;
    for (; at < vectorBytes; at += 16) {
      let sum = f32x4.splat(0);
      for (let outY = firstY; outY < endY; outY++) {
        let row = f32x4.splat(0);
        let value = x + (outY * job.strideY + ky - job.top) * rowBytes + firstPixel + at;
        let slope = dy + outY * outRowBytes + firstX * pixelBytes + at;
        for (let outX = firstX; outX < endX; outX++, value += step, slope += pixelBytes)
          row = madd(v128.load(value), v128.load(slope), row);
        sum = f32x4.add(sum, row);
      }
      v128.store(target + at, f32x4.add(v128.load(target + at), sum));
    }
    for (; at < pixelBytes; at += 4) {
      let sum: f32 = 0;
      for (let outY = firstY; outY < endY; outY++) {
        let row: f32 = 0;
        let value = x + (outY * job.strideY + ky - job.top) * rowBytes + firstPixel + at;
        let slope = dy + outY * outRowBytes + firstX * pixelBytes + at;
        for (let outX = firstX; outX < endX; outX++, value += step, slope += pixelBytes)
          row += load<f32>(value) * load<f32>(slope);
        sum += row;
      }
      store<f32>(target + at, load<f32>(target + at) + sum);
    }
  }
}

/** Values and copies of them; a unit is `block` of the values. */
@unmanaged
class CopiesJob {
  values!: usize; // [size]
  copies!: usize; // [size, times]
  size!: i32;
  times!: i32;
  block!: i32;
}

/** Each value `times` times in a row */
export function repeatUnit(job: CopiesJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    times = job.times;
  let value = job.values + (begin << 2),
    copy = job.copies + <usize>begin * (times << 2);
  for (const end = value + (min(job.block, job.size - begin) << 2); value < end; value += 4)
    for (let index = 0; index < times; index++, copy += 4) store<f32>(copy, load<f32>(value));
}

/** Each value the sum of its copies */
export function sumCopiesUnit(job: CopiesJob, unit: i32, thread: i32): void {
  const begin = unit * job.block,
    times = job.times;
  let value = job.values + (begin << 2),
    copy = job.copies + <usize>begin * (times << 2);
  for (const end = value + (min(job.block, job.size - begin) << 2); value < end; value += 4) {
    let sum: f32 = 0;
    for (let index = 0; index < times; index++, copy += 4) sum += load<f32>(copy);
    store<f32>(value, sum);
  }
}
