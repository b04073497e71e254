import { getKernel, registerKernel, unregisterKernel, util } from '@tensorflow/tfjs-core';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from './backend.js';

type Vector3 = [number, number, number];

/** A compute shader as TensorFlow.js's WebGPU backend takes it. */
interface Program {
  readonly variableNames: readonly string[];
  readonly variableComponents: readonly number[];
  readonly uniforms: string;
  readonly shaderKey: string;
  readonly outputShape: number[];
  readonly outputComponent: number;
  readonly size: true;
  readonly workgroupSize: Vector3;
  readonly dispatchLayout: { x: number[]; y?: number[] };
  readonly dispatch: Vector3;
  /** Outputs beside the one that TensorFlow.js knows of; their bindings follow that of the uniforms. */
  readonly moreOutputs: readonly TensorInfo[];
  getUserCode(): string;
}

/** The part of TensorFlow.js's WebGPU backend that runs shaders. */
interface Runner extends WebgpuBackend {
  makeTensorInfo(shape: number[], dtype: 'float32'): TensorInfo;
  uploadToGPU(dataId: object): void;
  runWebGPUProgram(
    program: Program,
    inputs: TensorInfo[],
    dtype: 'float32',
    uniforms: { type: 'int32' | 'float32'; data: number[] }[],
  ): TensorInfo;
}

/** Helpers of the package that lay out work. */
export interface WebgpuUtil {
  flatDispatchLayout(shape: number[]): { x: number[] };
  computeDispatch(layout: { x: number[] }, shape: number[], workgroup: Vector3): Vector3;
}

/** How many numbers one access to a buffer moves. */
export type Width = 1 | 4;

/** What a shader computes, and from what. */
interface Computation {
  /** Of the pipeline: shaders of one name, of inputs of the same ranks, have the same code. */
  readonly name: string;
  /** By their names in the code, which begin with a capital. */
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  /** Tensors that it writes beside its output, which are `emptyTensor`s; the code writes to `Name[index]`. */
  readonly outputs?: Readonly<Record<string, TensorInfo>>;
  /** Of the inputs and of these outputs, 1 where not given. */
  readonly widths?: Readonly<Record<string, Width>>;
  readonly shape: number[];
  /** Of the output. */
  readonly width?: Width;
  readonly integers?: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
}

/** A shader that computes one element of a float32 tensor per invocation, or one `vec4` of it. */
export interface Shader extends Computation {
  /**
   * Statements that set `value` for `index`. They have `uniforms.<option>`, `uniforms.outShape` and, of an input `Name`,
   * `readName(index)` and `uniforms.nameShape`.
   */
  readonly code: string;
}

/** A shader whose invocations work in groups, which share memory. */
export interface GroupShader extends Computation {
  readonly groupSize: Vector3;
  readonly groups: Vector3;
  /**
   * Declarations, `fn main()` among them, which writes to `result`. They have what a `Shader` has, and `workgroupId`, `localId`, `localIndex`.
   * Asked for where there is no pipeline of the name yet.
   */
  readonly code: () => string;
}

/** The type in WGSL. */
export const typeOf = (width: Width): string => (width === 1 ? 'f32' : 'vec4<f32>');

/** 4 where all these counts of numbers side by side are divided by it. */
export const widthOf = (...counts: number[]): Width => (counts.every((count) => count % 4 === 0) ? 4 : 1);

/** An input's name in code that reads a tensor of this name. */
export const capital = (name: string): string => name[0]!.toUpperCase() + name.slice(1);

/** The same tensor in one dimension, so that one shader serves all shapes. */
export const flat = ({ dataId, dtype, shape }: TensorInfo): TensorInfo => ({
  dataId,
  dtype,
  shape: [util.sizeFromShape(shape)],
});

/** Buffers of bool and int32 tensors hold integers, which are converted where they are read. */
const reader = (name: string, width: Width): string =>
  `fn read${name}(index : i32) -> ${typeOf(width)} { return ${typeOf(width)}(${name}[index]); }`;

/** Declares an output beside the first one. */
const output = (name: string, binding: number, width: Width): string =>
  `@group(0) @binding(${binding}) var<storage, read_write> ${name} : array<${typeOf(width)}>;`;

/** A tensor for a shader to write. */
export function emptyTensor(backend: unknown, shape: number[]): TensorInfo {
  const tensor = (backend as Runner).makeTensorInfo(shape, 'float32');
  (backend as Runner).uploadToGPU(tensor.dataId);
  return tensor;
}

export type RunShader = (backend: unknown, shader: Shader | GroupShader) => TensorInfo;

const groupSize: Vector3 = [128, 1, 1];

/** The code of a shader that has one element per invocation. */
const perElement = ({ width = 1, code }: Shader): string => `
  fn main(index : i32) {
    if (index < uniforms.size) {
      var value = ${typeOf(width)}(0.0);
      ${code}
      result[index] = value;
    }
  }`;

export function shaderRunner(util: WebgpuUtil): RunShader {
  const layout = (shader: Shader | GroupShader) => {
    if ('groups' in shader)
      return { workgroupSize: shader.groupSize, dispatchLayout: { x: [], y: [0] }, dispatch: shader.groups };
    const invocations = [shader.shape.reduce((product, side) => product * side, 1) / (shader.width ?? 1)];
    return {
      workgroupSize: groupSize,
      dispatchLayout: util.flatDispatchLayout(shader.shape),
      dispatch: util.computeDispatch({ x: [0] }, invocations, groupSize),
    };
  };
  return (backend, shader) => {
    const { name, inputs, outputs = {}, widths = {}, shape, width = 1, integers = {}, floats = {} } = shader;
    const names = Object.keys(inputs);
    const program: Program = {
      ...layout(shader),
      variableNames: names,
      variableComponents: names.map((input) => widths[input] ?? 1),
      uniforms: [
        ...Object.keys(integers).map((option) => `${option} : i32,`),
        ...Object.keys(floats).map((option) => `${option} : f32,`),
      ].join(' '),
      shaderKey: name,
      outputShape: shape,
      outputComponent: width,
      size: true,
      moreOutputs: Object.values(outputs),
      getUserCode: () => `
        ${Object.keys(outputs)
          .map((name, i) => output(name, names.length + 2 + i, widths[name] ?? 1))
          .join('\n')}
        ${names.map((input) => reader(input, widths[input] ?? 1)).join('\n')}
        ${'groups' in shader ? shader.code() : perElement(shader)}`,
    };
    return (backend as Runner).runWebGPUProgram(program, Object.values(inputs), 'float32', [
      ...Object.values(integers).map((data) => ({ type: 'int32' as const, data: [data] })),
      ...Object.values(floats).map((data) => ({ type: 'float32' as const, data: [data] })),
    ]);
  };
}

/** Registers a kernel of the `webgpu` backend in place of the one that has the name. */
export function put(kernelName: string, kernelFunc: KernelFunc): void {
  const backendName = 'webgpu';
  if (getKernel(kernelName, backendName)) unregisterKernel(kernelName, backendName);
  registerKernel({ kernelName, backendName, kernelFunc });
}
