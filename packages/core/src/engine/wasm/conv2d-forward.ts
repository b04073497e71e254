import type { TensorInfo } from '../../tensor/index.js';
import {
  LANES,
  NO_FLOOR,
  pack,
  roundUp,
  tilePixels,
  withMargins,
  writeBias,
  type ConvGeometry,
  type Shape4D,
} from './convolution-layout.js';
import { addressOf, allocate, floatBits, kernelsOn, withScratch, type WasmBackend } from './module.js';

/** y = conv(x, filter) + bias, negative values replaced by 0 if `relu`. */
export function convForward(
  backend: WasmBackend,
  { x, filter, bias }: { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo },
  geometry: ConvGeometry & { outHeight: number; outWidth: number; relu?: boolean },
): TensorInfo {
  const { strides, top, left, outHeight, outWidth } = geometry;
  const [batch, height, width, inChannels] = x.shape as Shape4D;
  const [kernelHeight, kernelWidth, , outChannels] = filter.shape as Shape4D;
  const { share } = kernelsOn(backend);
  const y = allocate(backend, [batch, outHeight, outWidth, outChannels]);
  const depth = kernelHeight * kernelWidth * inChannels;
  const bottom = Math.max(0, (outHeight - 1) * strides[0] + kernelHeight - top - height);
  const right = Math.max(0, (outWidth - 1) * strides[1] + kernelWidth - left - width);
  const pixelBytes = outChannels * 4;
  const channels = roundUp(outChannels, LANES);
  withScratch(backend, channels * (1 + depth), (biases) => {
    const packed = biases + channels * 4;
    pack(backend, 'packPanelsUnit', [addressOf(backend, filter), packed, depth, outChannels, depth * LANES * 4]);
    writeBias(backend, { bias, address: biases, channels });
    const pixels = outHeight * outWidth;
    withMargins(backend, { x, margins: { top, bottom, left, right }, pixels }, ({ images, first, count }) => {
      const parameters = [
        ...[images.address, addressOf(backend, y) + first * pixels * pixelBytes, packed, outHeight, outWidth],
        ...[images.imageBytes, strides[0] * images.rowBytes, strides[1] * images.pixelBytes],
        ...[pixels * pixelBytes, outWidth * pixelBytes, pixelBytes],
        ...[outChannels, kernelHeight, kernelWidth * inChannels, images.rowBytes],
        ...[biases, geometry.relu === true ? floatBits(0) : NO_FLOOR],
      ];
      const panels = Math.ceil(outChannels / LANES);
      const tile = tilePixels(inChannels * strides[0] * strides[1]);
      const work = count * pixels * depth * outChannels;
      const units = Math.ceil((count * pixels) / tile) * panels;
      share('convUnit', [...parameters, count * pixels, tile, panels], { units, work });
    });
  });
  return y;
}
