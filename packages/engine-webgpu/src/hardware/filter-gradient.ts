import { util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Conv2DFilterGradAttrs } from '@bulwark/core/engine';
import type { WebgpuBackend } from '../backend.js';
import { flat, put, typeOf, widthOf, type RunShader, type Width } from '../shader.js';
import { sumInGroups } from './sum-of-rows.js';
import { columnsAt, epilogue, finish, groupsOf, origin, outside, readIf, writeRow } from './pieces.js';
import { invocationsOf, shareOutPixels, type Sharing } from './tile.js';
import { tiledProduct } from './tiled-product.js';

/** Parts that one invocation adds up for each number. */
const fewParts = 16;

interface Code extends Conv2DFilterGradAttrs {
  /** Whether four channels, of images and of dy, are read at a time. */
  readonly widths: { readonly X: Width; readonly Dy: Width };
}

/** Four rows of the left factor at a pixel, which is a term: what four taps and channels see from there. */
const declarations = ({ filterShape: [, across], stride, padding, widths }: Code): string => `
  ${outside}
  fn xAt(row : i32, corner : vec3<i32>) -> ${typeOf(widths.X)} {
    let tap = row / uniforms.channels;
    let y = corner.y + tap / ${across};
    let x = corner.z + tap % ${across};
    let inside = row < uniforms.rows && y >= 0 && y < uniforms.xShape.y && x >= 0 && x < uniforms.xShape.z;
    let at = ((corner.x * uniforms.xShape.y + y) * uniforms.xShape.z + x) * uniforms.channels + row - tap * uniforms.channels;
    ${readIf('X', widths.X)}
  }
  fn patchAt(row : i32, pixel : i32) -> vec4<f32> {
    let rest = pixel / uniforms.dyShape.z;
    let x = pixel - rest * uniforms.dyShape.z;
    let image = rest / uniforms.dyShape.y;
    let y = rest - image * uniforms.dyShape.y;
    let corner = vec3<i32>(image, select(outside, y * ${stride} - ${padding}, pixel < uniforms.terms), x * ${stride} - ${padding});
    ${
      widths.X === 4
        ? 'return xAt(row, corner);'
        : 'var four = vec4<f32>(0.0); for (var i = 0; i < 4; i++) { four[i] = xAt(row + i, corner); } return four;'
    }
  }
  ${columnsAt('Dy', widths.Dy)}`;

/**
 * dw as a product of matrices, [taps x channels, pixels] by [pixels, filters], whose left factor is read from the images. TensorFlow.js's
 * own kernel has one invocation per number of dw, which for most layers are few, and each reads all pixels anew.
 */
export function filterGradient(
  run: RunShader,
  backend: WebgpuBackend,
  { x, dy, attrs }: { x: TensorInfo; dy: TensorInfo; attrs: Conv2DFilterGradAttrs },
  share: (extent: Parameters<typeof shareOutPixels>[0]) => Sharing & { ahead?: boolean } = shareOutPixels,
): TensorInfo {
  const { filterShape, stride, padding } = attrs;
  const [height, across, channels, filters] = filterShape;
  const rows = height * across * channels;
  const terms = dy.shape[0]! * dy.shape[1]! * dy.shape[2]!;
  const extent = { rows, columns: filters, terms };
  const { tile, parts, termsOfPart, ahead = false } = share(extent);
  const widths = { X: widthOf(channels), Dy: widthOf(filters) };
  const shape = [...filterShape];
  const size = util.sizeFromShape(shape);
  const after = { bias: false, relu: false };

  const sums = run(backend, {
    name: ['filter gradient', across, stride, padding, ...Object.values(widths), ...Object.values(tile), ahead].join(
      ' ',
    ),
    inputs: { X: x, Dy: dy },
    widths,
    shape: parts === 1 ? shape : [parts, size],
    width: widths.Dy,
    integers: { rows, lines: rows, columns: filters, terms, parts, termsOfPart, channels },
    groupSize: invocationsOf(tile),
    groups: groupsOf(extent, { tile, parts }),
    code: () =>
      tiledProduct({
        tile,
        ahead,
        declarations: declarations({ ...attrs, widths }),
        begin: origin(tile),
        left: { of: 'sides', at: (side, term) => `patchAt(${side}, ${term})` },
        right: { of: 'sides', at: (side, term) => `dyAt(${side}, ${term})` },
        write: writeRow({
          width: widths.Dy,
          after: epilogue(after, widths.Dy),
          lineOf: 'select(-1, row, row < uniforms.rows)',
        }),
      }),
  });
  if (parts === 1) return sums;
  if (parts <= fewParts) return finish(run, backend, { sums, parts, shape, after });
  const gradient = sumInGroups(run, backend, {
    name: 'sum of parts',
    inputs: { Parts: flat(sums) },
    widths: { Parts: widthOf(size) },
    rows: parts,
    channels: size,
    before: '',
    expression: 'readParts(index)',
  });
  backend.disposeData(sums.dataId);
  return { ...gradient, shape };
}

export function putFilterGradient(run: RunShader): void {
  put('BulwarkConv2DFilterGrad', ({ inputs, attrs, backend }) => {
    const { x, dy } = inputs as { x: TensorInfo; dy: TensorInfo };
    return filterGradient(run, backend as WebgpuBackend, { x, dy, attrs: attrs as unknown as Conv2DFilterGradAttrs });
  });
}
