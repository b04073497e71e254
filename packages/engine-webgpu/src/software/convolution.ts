import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { Conv2DAttrs, Conv2DFilterGradAttrs, Conv2DInputGradAttrs } from '@bulwark/core/engine';
import { put, typeOf, widthOf, type RunShader, type Width } from '../shader.js';

type Call<Inputs, Attrs> = { inputs: Inputs; attrs: Attrs; backend: unknown };

function kernel<Inputs, Attrs>(compute: (call: Call<Inputs, Attrs>) => TensorInfo): KernelFunc {
  return (call) => compute(call as unknown as Call<Inputs, Attrs>);
}

/** Constants of the code, so that the compiler knows how loops go; few pipelines, since networks have few geometries. */
interface Geometry extends Conv2DAttrs {
  readonly rows: number;
  readonly columns: number;
}

const geometryOf = ({ stride, padding }: Conv2DAttrs, [rows, columns]: readonly number[]): Geometry => ({
  stride,
  padding,
  rows: rows!,
  columns: columns!,
});

const nameOf = (kernelName: string, { rows, columns, stride, padding }: Geometry, ...widths: Width[]): string =>
  [kernelName, rows, columns, stride, padding, ...widths].join(' ');

/** Coordinates of the output's element, or its `vec4`: [a, b, c, d]. */
const coordinates = (width: Width): string => `
  let groups = uniforms.outShape.w / ${width};
  let d = index % groups;
  let c = (index / groups) % uniforms.outShape.z;
  let b = (index / (groups * uniforms.outShape.z)) % uniforms.outShape.y;
  let a = index / (groups * uniforms.outShape.z * uniforms.outShape.y);`;

const lanes = ['x', 'y', 'z', 'w'];

/** y[image, row, column, filters]; `width` filters, and `step` channels, at a time. */
const forwardCode = (
  { rows, columns, stride, padding }: Geometry,
  { width, step, bias, relu }: { width: Width; step: Width; bias: boolean; relu: boolean },
): string => `
  ${coordinates(width)}
  let channels = uniforms.xShape.w;
  ${bias ? 'value = readBias(d);' : ''}
  for (var ky = 0; ky < ${rows}; ky++) {
    let y = b * ${stride} - ${padding} + ky;
    if (y < 0 || y >= uniforms.xShape.y) { continue; }
    for (var kx = 0; kx < ${columns}; kx++) {
      let x = c * ${stride} - ${padding} + kx;
      if (x < 0 || x >= uniforms.xShape.z) { continue; }
      let pixel = ((a * uniforms.xShape.y + y) * uniforms.xShape.z + x) * (channels / ${step});
      var tap = (ky * ${columns} + kx) * channels * groups + d;
      for (var i = 0; i < channels / ${step}; i++) {
        let some = readX(pixel + i);
        ${(step === 1 ? ['some'] : lanes.map((lane) => `some.${lane}`))
          .map((one) => `value += ${one} * readFilter(tap); tap += groups;`)
          .join('\n')}
      }
    }
  }
  ${relu ? `value = max(value, ${typeOf(width)}(0.0));` : ''}`;

/** dx[image, row, column, channel]; `width` filters at a time. Only every `stride`th tap meets an output. */
const inputGradCode = ({ rows, columns, stride, padding }: Geometry, width: Width): string => `
  ${coordinates(1)}
  let filters = uniforms.dyShape.w / ${width};
  for (var ky = (b + ${padding}) % ${stride}; ky < ${rows}; ky += ${stride}) {
    let y = (b + ${padding} - ky) / ${stride};
    if (b + ${padding} < ky || y >= uniforms.dyShape.y) { continue; }
    for (var kx = (c + ${padding}) % ${stride}; kx < ${columns}; kx += ${stride}) {
      let x = (c + ${padding} - kx) / ${stride};
      if (c + ${padding} < kx || x >= uniforms.dyShape.z) { continue; }
      let pixel = ((a * uniforms.dyShape.y + y) * uniforms.dyShape.z + x) * filters;
      let tap = ((ky * ${columns} + kx) * uniforms.outShape.w + d) * filters;
      for (var i = 0; i < filters; i++) {
        value += ${width === 1 ? 'readDy(pixel + i) * readFilter(tap + i)' : 'dot(readDy(pixel + i), readFilter(tap + i))'};
      }
    }
  }`;

/** dw[tap's row, tap's column, channel, filters]; a sum for each image, then their sum, keeps rounding small. */
const filterGradCode = ({ stride, padding }: Geometry, width: Width): string => `
  ${coordinates(width)}
  for (var image = 0; image < uniforms.dyShape.x; image++) {
    var part = ${typeOf(width)}(0.0);
    for (var row = 0; row < uniforms.dyShape.y; row++) {
      let y = row * ${stride} - ${padding} + a;
      if (y < 0 || y >= uniforms.xShape.y) { continue; }
      for (var column = 0; column < uniforms.dyShape.z; column++) {
        let x = column * ${stride} - ${padding} + b;
        if (x < 0 || x >= uniforms.xShape.z) { continue; }
        part += readX(((image * uniforms.xShape.y + y) * uniforms.xShape.z + x) * uniforms.xShape.w + c)
          * readDy(((image * uniforms.dyShape.y + row) * uniforms.dyShape.z + column) * groups + d);
      }
    }
    value += part;
  }`;

function putForward(kernelName: string, run: RunShader, options: { bias: boolean; relu: boolean }): void {
  type Inputs = { x: TensorInfo; filter: TensorInfo; bias?: TensorInfo };
  put(
    kernelName,
    kernel<Inputs, Conv2DAttrs>(({ inputs: { x, filter, bias }, attrs, backend }) => {
      const [batch, ...sides] = x.shape.slice(0, 3) as [number, number, number];
      const [channels, filters] = filter.shape.slice(2) as [number, number];
      const outSides = sides.map((side, axis) =>
        Math.floor((side + 2 * attrs.padding - filter.shape[axis]!) / attrs.stride + 1),
      );
      const geometry = geometryOf(attrs, filter.shape);
      const [width, step] = [widthOf(filters), widthOf(channels)];
      return run(backend, {
        name: nameOf(kernelName, geometry, width, step),
        inputs: { X: x, Filter: filter, ...(bias && { Bias: bias }) },
        widths: { X: step, Filter: width, Bias: width },
        shape: [batch, ...outSides, filters],
        width,
        code: forwardCode(geometry, { width, step, ...options }),
      });
    }),
  );
}

/** Bulwark's convolution, alone and fused, with both gradients. */
export function putConvolutions(run: RunShader): void {
  putForward('BulwarkConv2D', run, { bias: false, relu: false });
  putForward('BulwarkConv2DBias', run, { bias: true, relu: false });
  putForward('BulwarkConv2DBiasRelu', run, { bias: true, relu: true });
  put(
    'BulwarkConv2DInputGrad',
    kernel<{ dy: TensorInfo; filter: TensorInfo }, Conv2DInputGradAttrs>(
      ({ inputs: { dy, filter }, attrs, backend }) => {
        const geometry = geometryOf(attrs, filter.shape);
        const width = widthOf(dy.shape[3]!);
        return run(backend, {
          name: nameOf('BulwarkConv2DInputGrad', geometry, width),
          inputs: { Dy: dy, Filter: filter },
          widths: { Dy: width, Filter: width },
          shape: [...attrs.inputShape],
          code: inputGradCode(geometry, width),
        });
      },
    ),
  );
  put(
    'BulwarkConv2DFilterGrad',
    kernel<{ x: TensorInfo; dy: TensorInfo }, Conv2DFilterGradAttrs>(({ inputs: { x, dy }, attrs, backend }) => {
      const geometry = geometryOf(attrs, attrs.filterShape);
      const width = widthOf(dy.shape[3]!);
      return run(backend, {
        name: nameOf('BulwarkConv2DFilterGrad', geometry, width),
        inputs: { X: x, Dy: dy },
        widths: { Dy: width },
        shape: [...attrs.filterShape],
        width,
        code: filterGradCode(geometry, width),
      });
    }),
  );
}
