import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Conv2DFilterGradAttrs } from '@bulwark/core/engine';
import type { WebgpuBackend } from '../backend.js';
import { flat, put, widthOf, type RunShader, type Width } from '../shader.js';
import { sumOfRows } from '../sum-of-rows.js';

/** Rows and columns of the result that a group of invocations computes, each of them 4x4. */
const tile = 32;
/** Pixels whose numbers a group has in its memory at a time. */
const depth = 16;
const side = tile / 4;
/** Groups that keep a large GPU busy. Where the result has fewer tiles, the pixels are shared out, too. */
const wantedGroups = 1024;
/** Fewest pixels that are worth a group of their own. */
const fewestPixels = 256;

interface Geometry extends Conv2DFilterGradAttrs {
  /** Whether four channels, of images and of dy, are read at a time. */
  readonly widths: { readonly X: Width; readonly Dy: Width };
}

/** Four rows of the result's left factor at a pixel: what four taps and channels see there. */
const patch = ({ filterShape: [, columns], stride, padding, widths }: Geometry): string => `
  fn patchAt(row : i32, image : i32, y : i32, x : i32) -> ${widths.X === 4 ? 'vec4<f32>' : 'f32'} {
    let tap = row / uniforms.channels;
    let fromY = y * ${stride} - ${padding} + tap / ${columns};
    let fromX = x * ${stride} - ${padding} + tap % ${columns};
    if (row >= uniforms.rows || fromY < 0 || fromY >= uniforms.xShape.y || fromX < 0 || fromX >= uniforms.xShape.z) {
      return ${widths.X === 4 ? 'vec4<f32>(0.0)' : '0.0'};
    }
    let at = ((image * uniforms.xShape.y + fromY) * uniforms.xShape.z + fromX) * uniforms.channels + row % uniforms.channels;
    return readX(at / ${widths.X});
  }
  fn leftAt(row : i32, pixel : i32) -> vec4<f32> {
    let x = pixel % uniforms.dyShape.z;
    let y = (pixel / uniforms.dyShape.z) % uniforms.dyShape.y;
    let image = pixel / (uniforms.dyShape.z * uniforms.dyShape.y);
    return ${
      widths.X === 4
        ? 'patchAt(row, image, y, x)'
        : `vec4<f32>(${[0, 1, 2, 3].map((i) => `patchAt(row + ${i}, image, y, x)`).join(', ')})`
    };
  }`;

/** Four columns of the right factor, which is dy, at a pixel. */
const right = ({ widths }: Geometry): string => `
  ${
    widths.Dy === 4
      ? ''
      : `fn oneOfDy(column : i32, pixel : i32) -> f32 {
           return select(0.0, readDy(pixel * uniforms.filters + column), column < uniforms.filters);
         }`
  }
  fn rightAt(column : i32, pixel : i32) -> vec4<f32> {
    ${
      widths.Dy === 4
        ? `if (column >= uniforms.filters) { return vec4<f32>(0.0); }
           return readDy((pixel * uniforms.filters + column) / 4);`
        : `return vec4<f32>(${[0, 1, 2, 3].map((i) => `oneOfDy(column + ${i}, pixel)`).join(', ')});`
    }
  }`;

const lanes = ['x', 'y', 'z', 'w'];

const codeOf = (geometry: Geometry): string => `
  var<workgroup> left : array<vec4<f32>, ${depth * side}>;
  var<workgroup> right : array<vec4<f32>, ${depth * side}>;
  ${patch(geometry)}
  ${right(geometry)}
  fn main() {
    let part = i32(workgroupId.z);
    let firstRow = i32(workgroupId.y) * ${tile};
    let firstColumn = i32(workgroupId.x) * ${tile};
    let end = min((part + 1) * uniforms.pixelsOfPart, uniforms.pixels);
    var sums : array<vec4<f32>, 4>;
    // as often in all groups, which the barriers need
    for (var turn = 0; turn < uniforms.turns; turn++) {
      let start = part * uniforms.pixelsOfPart + turn * ${depth};
      for (var i = i32(localIndex); i < ${depth * side}; i += ${side * side}) {
        let pixel = start + i / ${side};
        let four = (i % ${side}) * 4;
        if (pixel < end) {
          left[i] = leftAt(firstRow + four, pixel);
          right[i] = rightAt(firstColumn + four, pixel);
        } else {
          left[i] = vec4<f32>(0.0);
          right[i] = vec4<f32>(0.0);
        }
      }
      workgroupBarrier();
      for (var i = 0; i < ${depth}; i++) {
        let a = left[i * ${side} + i32(localId.y)];
        let b = right[i * ${side} + i32(localId.x)];
        ${lanes.map((lane, row) => `sums[${row}] += a.${lane} * b;`).join('\n')}
      }
      workgroupBarrier();
    }
    let row = firstRow + i32(localId.y) * 4;
    let column = firstColumn + i32(localId.x) * 4;
    for (var i = 0; i < 4; i++) {
      if (row + i < uniforms.rows) {
        let at = (part * uniforms.rows + row + i) * uniforms.filters + column;
        ${
          geometry.widths.Dy === 4
            ? 'if (column < uniforms.filters) { result[at / 4] = sums[i]; }'
            : lanes
                .map((lane, j) => `if (column + ${j} < uniforms.filters) { result[at + ${j}] = sums[i].${lane}; }`)
                .join('\n')
        }
      }
    }
  }`;

/**
 * dw as a product of matrices, [taps x channels, pixels] by [pixels, filters], whose left factor is read from the images. TensorFlow.js's
 * own kernel has one invocation per number of dw, which for most layers are few, and each reads all pixels anew.
 */
export function filterGradient(
  run: RunShader,
  backend: WebgpuBackend,
  { x, dy, attrs }: { x: TensorInfo; dy: TensorInfo; attrs: Conv2DFilterGradAttrs },
): TensorInfo {
  const { filterShape, stride, padding } = attrs;
  const [height, width, channels, filters] = filterShape;
  const rows = height * width * channels;
  const pixels = dy.shape[0]! * dy.shape[1]! * dy.shape[2]!;
  const tiles = Math.ceil(rows / tile) * Math.ceil(filters / tile);
  const mostParts = Math.max(1, Math.min(Math.ceil(wantedGroups / tiles), Math.floor(pixels / fewestPixels)));
  const pixelsOfPart = Math.ceil(pixels / mostParts / depth) * depth;
  const parts = Math.ceil(pixels / pixelsOfPart);

  const widths = { X: widthOf(channels), Dy: widthOf(filters) };
  const sums = run(backend, {
    name: ['filter gradient', height, width, stride, padding, widths.X, widths.Dy].join(' '),
    inputs: { X: x, Dy: dy },
    widths,
    shape: [parts, rows * filters],
    width: widths.Dy,
    integers: { rows, channels, filters, pixels, pixelsOfPart, turns: pixelsOfPart / depth },
    groupSize: [side, side, 1],
    groups: [Math.ceil(filters / tile), Math.ceil(rows / tile), parts],
    code: codeOf({ ...attrs, widths }),
  });
  const { dataId, dtype } = sums;
  if (parts === 1) return { dataId, dtype, shape: [...filterShape] };
  const size = rows * filters;
  const gradient = sumOfRows(run, backend, {
    name: 'sum of parts',
    inputs: { Parts: flat(sums) },
    widths: { Parts: widthOf(size) },
    rows: parts,
    channels: size,
    before: '',
    expression: 'readParts(index)',
  });
  backend.disposeData(dataId);
  return { ...gradient, shape: [...filterShape] };
}

export function putFilterGradient(run: RunShader): void {
  put('BulwarkConv2DFilterGrad', ({ inputs, attrs, backend }) => {
    const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
    return filterGradient(run, backend as WebgpuBackend, { x, dy, attrs: attrs as unknown as Conv2DFilterGradAttrs });
  });
}
