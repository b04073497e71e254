import { getKernel, registerKernel, unregisterKernel } from '@tensorflow/tfjs-core';
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import type { WebgpuBackend } from './backend.js';

type Vector3 = [number, number, number];

/** A compute shader as TensorFlow.js's WebGPU backend takes it. */
interface Program {
  readonly variableNames: readonly string[];
  readonly uniforms?: string;
  readonly shaderKey: string;
  readonly outputShape: number[];
  readonly size: true;
  readonly workgroupSize: Vector3;
  readonly dispatchLayout: { x: number[] };
  readonly dispatch: Vector3;
  getUserCode(): string;
}

/** The part of TensorFlow.js's WebGPU backend that runs shaders. */
interface Runner extends WebgpuBackend {
  runWebGPUProgram(
    program: Program,
    inputs: TensorInfo[],
    dtype: 'float32',
    uniforms?: { type: 'float32'; data: number[] }[],
  ): TensorInfo;
}

/** Helpers of the package that lay out work. */
export interface WebgpuUtil {
  flatDispatchLayout(shape: number[]): { x: number[] };
  computeDispatch(layout: { x: number[] }, shape: number[], workgroup: Vector3): Vector3;
}

function put(kernelName: string, kernelFunc: KernelFunc): void {
  const backendName = 'webgpu';
  if (getKernel(kernelName, backendName)) unregisterKernel(kernelName, backendName);
  registerKernel({ kernelName, backendName, kernelFunc });
}

/** One shader over equally shaped tensors: `value` is an expression in the inputs' and options' names. */
function putElementwise(
  kernelName: string,
  { names, value, options = [], util }: { names: string[]; value: string; options?: string[]; util: WebgpuUtil },
): void {
  const workgroupSize: Vector3 = [128, 1, 1];
  put(kernelName, ({ inputs, attrs, backend }) => {
    const tensors = names.map((name) => inputs[name] as TensorInfo);
    const { shape } = tensors[0]!;
    const dispatchLayout = util.flatDispatchLayout(shape);
    const program: Program = {
      variableNames: names.map((name) => name.toUpperCase()),
      uniforms: options.map((option) => `${option} : f32,`).join(' '),
      shaderKey: kernelName,
      outputShape: shape,
      size: true,
      workgroupSize,
      dispatchLayout,
      dispatch: util.computeDispatch(dispatchLayout, shape, workgroupSize),
      getUserCode: () => `
        fn main(index : i32) {
          if (index < uniforms.size) {
            ${names.map((name) => `let ${name} = get${name.toUpperCase()}ByOutputIndex(index);`).join('\n')}
            ${options.map((option) => `let ${option} = uniforms.${option};`).join('\n')}
            setOutputAtIndex(index, ${value});
          }
        }`,
    };
    const uniforms = options.map((option) => ({ type: 'float32' as const, data: [attrs![option] as number] }));
    return (backend as unknown as Runner).runWebGPUProgram(program, tensors, 'float32', uniforms);
  });
}

/** Sums of many tensors in parts: the backend's own asks for more buffers in one shader than a GPU has. */
function putAddN(): void {
  const { kernelFunc: stock } = getKernel('AddN', 'webgpu')!;
  put('AddN', ({ inputs, attrs, backend }) => {
    const gpu = backend as WebgpuBackend;
    const most = gpu.device.limits['maxStorageBuffersPerShaderStage']! - 1;
    const given = inputs as unknown as TensorInfo[];
    const add = (some: TensorInfo[]): TensorInfo =>
      stock({ inputs: some as unknown as Parameters<KernelFunc>[0]['inputs'], attrs, backend }) as TensorInfo;
    let sum = add(given.slice(0, most));
    for (let next = most; next < given.length; next += most - 1) {
      const more = add([sum, ...given.slice(next, next + most - 1)]);
      gpu.disposeData(sum.dataId);
      sum = more;
    }
    return sum;
  });
}

const step = 'clamp(x + stepSize * (f32(g > 0.0) - f32(g < 0.0)), origin - epsilon, origin + epsilon)';

/** Registers Bulwark's kernels for the `webgpu` backend. */
export function registerWebgpuKernels(util: WebgpuUtil): void {
  putAddN();
  putElementwise('BulwarkRelu', { util, names: ['x'], value: 'max(x, 0.0)' });
  putElementwise('BulwarkReluGrad', { util, names: ['dy', 'y'], value: 'select(0.0, dy, y > 0.0)' });
  putElementwise('BulwarkSignOf', { util, names: ['x'], value: 'f32(x > 0.0) - f32(x < 0.0)' });
  putElementwise('BulwarkSignStep', {
    util,
    names: ['x', 'g', 'origin'],
    options: ['stepSize', 'epsilon'],
    value: `clamp(${step}, 0.0, 1.0)`,
  });
}
