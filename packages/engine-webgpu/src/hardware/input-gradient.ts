import { util, type TensorInfo } from '@tensorflow/tfjs-core';
import type { Conv2DInputGradAttrs } from '@bulwark/core/engine';
import type { WebgpuBackend } from '../backend.js';
import { put, typeOf, widthOf, type RunShader, type Width } from '../shader.js';
import { alongTerms, epilogue, finish, groupsOf, inFours, origin, outside, readIf, writeRow } from './pieces.js';
import { invocationsOf, shareOut, type Sharing } from './tile.js';
import { tiledProduct } from './tiled-product.js';

interface Code {
  readonly stride: number;
  readonly padding: number;
  readonly height: number;
  readonly across: number;
  readonly widths: { readonly Dy: Width; readonly Result: Width };
}

/**
 * Pixels of the images that are apart by the stride see the same taps, `phase` by `phase`: where the stride is 2, one of four phases sees one
 * tap of a 3x3 filter, two see two and one sees four. `placeOf` is what a pixel's first tap sees (image, row, column); further ones lie before it.
 */
const declarations = ({ stride, padding, height, across, widths }: Code): string => `
  ${outside}
  var<private> phase : vec2<i32>;
  var<private> firstTap : vec2<i32>;
  var<private> taps : vec2<i32>;
  fn begin(product : i32) {
    phase = vec2<i32>(product / ${stride}, product % ${stride});
    firstTap = (phase + ${padding}) % ${stride};
    taps = max((vec2<i32>(${height}, ${across}) - firstTap + ${stride - 1}) / ${stride}, vec2<i32>(0));
  }
  fn pixelOf(row : i32) -> vec3<i32> {
    let height = (uniforms.height + ${stride - 1}) / ${stride};
    let width = (uniforms.width + ${stride - 1}) / ${stride};
    let rest = row / width;
    return vec3<i32>(rest / height, (rest % height) * ${stride} + phase.x, (row % width) * ${stride} + phase.y);
  }
  fn isInside(row : i32, pixel : vec3<i32>) -> bool {
    return row < uniforms.rows && pixel.y < uniforms.height && pixel.z < uniforms.width;
  }
  fn placeOf(row : i32) -> vec3<i32> {
    let pixel = pixelOf(row);
    let first = (pixel.yz + ${padding} - firstTap) / ${stride};
    return vec3<i32>(pixel.x, select(outside, first.x, isInside(row, pixel)), first.y);
  }
  fn lineOf(row : i32) -> i32 {
    let pixel = pixelOf(row);
    return select(-1, (pixel.x * uniforms.height + pixel.y) * uniforms.width + pixel.z, isInside(row, pixel));
  }
  fn tapOf(term : i32) -> vec3<i32> {
    let tap = term / uniforms.filters;
    let known = term < uniforms.filters * taps.x * taps.y;
    return vec3<i32>(select(-outside, tap / taps.y, known), tap % taps.y, term - tap * uniforms.filters);
  }
  fn dyAt(place : vec3<i32>, tap : vec3<i32>) -> ${typeOf(widths.Dy)} {
    let y = place.y - tap.x;
    let x = place.z - tap.y;
    let inside = y >= 0 && y < uniforms.dyShape.y && x >= 0 && x < uniforms.dyShape.z;
    let at = ((place.x * uniforms.dyShape.y + y) * uniforms.dyShape.z + x) * uniforms.filters + tap.z;
    ${readIf('Dy', widths.Dy)}
  }
  fn channelOf(column : i32) -> i32 { return column; }
  fn filterAt(channel : i32, tap : vec3<i32>) -> ${typeOf(widths.Dy)} {
    let inside = channel < uniforms.columns && tap.x < ${height};
    let tapAt = (firstTap.x + tap.x * ${stride}) * ${across} + firstTap.y + tap.y * ${stride};
    let at = (tapAt * uniforms.columns + channel) * uniforms.filters + tap.z;
    ${readIf('Filter', widths.Dy)}
  }
  ${inFours('dyAt', widths.Dy)}
  ${inFours('filterAt', widths.Dy, 'i32')}`;

const sideOfPhase = (size: number, stride: number): number => Math.ceil(size / stride);

/** Input pixels by channels: the sums over those taps that meet a result, and over filters. */
export function inputGradient(
  run: RunShader,
  backend: WebgpuBackend,
  { dy, filter, attrs }: { dy: TensorInfo; filter: TensorInfo; attrs: Conv2DInputGradAttrs },
  share: (extent: Parameters<typeof shareOut>[0]) => Sharing & { ahead?: boolean } = shareOut,
): TensorInfo {
  const { stride, padding } = attrs;
  const shape = [...attrs.inputShape];
  const [batch, imageHeight, imageWidth, channels] = attrs.inputShape;
  const [height, across, , filters] = filter.shape as [number, number, number, number];
  const rows = batch * sideOfPhase(imageHeight, stride) * sideOfPhase(imageWidth, stride);
  const terms = sideOfPhase(height, stride) * sideOfPhase(across, stride) * filters;
  const extent = { rows, columns: channels, terms, products: stride ** 2 };
  const { tile, parts, termsOfPart, ahead = false } = share(extent);
  const widths = { Dy: widthOf(filters), Result: widthOf(channels) };
  const after = { bias: false, relu: false };

  const sums = run(backend, {
    name: [
      'input gradient',
      height,
      across,
      stride,
      padding,
      ...Object.values(widths),
      ...Object.values(tile),
      ahead,
    ].join(' '),
    inputs: { Dy: dy, Filter: filter },
    widths: { Dy: widths.Dy, Filter: widths.Dy },
    shape: parts === 1 ? shape : [parts, util.sizeFromShape(shape)],
    width: widths.Result,
    integers: {
      ...{ rows, columns: channels, filters, parts, termsOfPart, height: imageHeight, width: imageWidth },
      lines: batch * imageHeight * imageWidth,
    },
    groupSize: invocationsOf(tile),
    groups: groupsOf(extent, { tile, parts }),
    code: () =>
      tiledProduct({
        tile,
        ahead,
        declarations: declarations({ stride, padding, height, across, widths }),
        begin: `${origin(tile)} begin(product);`,
        left: alongTerms('dyAt', 'placeOf', widths.Dy),
        right: alongTerms('filterAt', 'channelOf', widths.Dy),
        write: writeRow({ width: widths.Result, after: epilogue(after, widths.Result), lineOf: 'lineOf(row)' }),
        ...(stride > 1 && { lastTerm: 'uniforms.filters * taps.x * taps.y' }),
      }),
  });
  if (parts === 1) return sums;
  return finish(run, backend, { sums, parts, shape, after });
}

export function putInputGradient(run: RunShader): void {
  put('BulwarkConv2DInputGrad', ({ inputs, attrs, backend }) => {
    const { dy, filter } = inputs as { dy: TensorInfo; filter: TensorInfo };
    return inputGradient(run, backend as WebgpuBackend, {
      dy,
      filter,
      attrs: attrs as unknown as Conv2DInputGradAttrs,
    });
  });
}
