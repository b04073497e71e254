import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { env, registerBackend, removeBackend } from '@tensorflow/tfjs-core';
import type { KernelBackend } from '@tensorflow/tfjs-core';
import type { Refusal } from '@bulwark/core/engine';
import { readSynchronously } from './backend.js';
import type { WebgpuBackend } from './backend.js';
import { dispatchSparingly } from './dispatch.js';
import { missingVulkan } from './drivers.js';
import { watchFaults } from './faults.js';
import { registerWebgpuKernels } from './kernels.js';
import type { Adapter, AdapterInfo, DawnPackage, Device, Gpu, PowerPreference } from './gpu.js';
import { shaderRunner, type WebgpuUtil } from './shader.js';
import { registerHardwareKernels } from './hardware/index.js';
import { registerSoftwareKernels } from './software/index.js';
import { catchTicks } from './ticks.js';
import type { Ticks } from './ticks.js';

/** A GPU that computes. */
export interface WebgpuEngine {
  readonly backendName: 'webgpu';
  /** The adapter as its driver names it. */
  readonly adapter: string;
  /** True for an adapter that computes on the processor (SwiftShader, lavapipe): slower than wasm. */
  readonly software: boolean;
  /** Version of the npm package `webgpu`. */
  readonly version: string;
}

/** Either the engine, registered with TensorFlow.js, or why there is none. */
export type WebgpuLoad =
  | { readonly available: true; readonly engine: WebgpuEngine; readonly refusals: readonly Refusal[] }
  | { readonly available: false; readonly refusals: readonly Refusal[] };

interface BackendPackage {
  readonly WebGPUBackend: new (device: Device, info: AdapterInfo) => KernelBackend;
  readonly webgpu_util: WebgpuUtil;
}

// Named at run time: both packages are optional, and the compiler must not need them.
const packages = { dawn: 'webgpu', backend: '@tensorflow/tfjs-backend-webgpu' } as const;

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
const refused = (reason: string): WebgpuLoad => ({ available: false, refusals: [{ candidate: 'webgpu', reason }] });

const define = (target: object, name: string, value: unknown): void =>
  void Object.defineProperty(target, name, { value, configurable: true, writable: true });

/** Loads Dawn and puts what a browser has as globals, and TensorFlow.js expects, in place. */
async function loadDawn(): Promise<Gpu> {
  const { create, globals } = (await import(packages.dawn as string)) as DawnPackage;
  for (const [name, value] of Object.entries(globals)) if (!(name in globalThis)) define(globalThis, name, value);
  const gpu = create(process.env.BULWARK_WEBGPU_DAWN?.split(' ').filter(Boolean) ?? []);
  // Node 20 has no `navigator`; from 21 on there is one, without `gpu`.
  const scope = globalThis as { navigator?: object };
  if (!scope.navigator) define(scope, 'navigator', {});
  define(scope.navigator!, 'gpu', gpu);
  return gpu;
}

function dawnVersion(): string {
  const path = createRequire(import.meta.url).resolve(`${packages.dawn}/package.json`);
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

const nameOf = ({ description, device, vendor, architecture }: AdapterInfo): string =>
  [device || description, [vendor, architecture].filter(Boolean).join(' ')].filter(Boolean).join(', ') ||
  'unnamed adapter';

const isSoftware = (info: AdapterInfo): boolean =>
  info.isFallbackAdapter === true ||
  /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${nameOf(info)} ${info.description}`);

/** `BULWARK_WEBGPU_KERNELS=hardware` or `software` overrides what the adapter says, for comparisons and tests. */
const wantsSoftwareKernels = (info: AdapterInfo): boolean =>
  isSoftware(info)
    ? process.env.BULWARK_WEBGPU_KERNELS !== 'hardware'
    : process.env.BULWARK_WEBGPU_KERNELS === 'software';

/** What the adapter has, not WebGPU's defaults: a training step needs large buffers. */
const limitNames = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
];

async function openBackend(adapter: Adapter, ticks: Ticks): Promise<WebgpuBackend> {
  const { BULWARK_WEBGPU_SUBMIT: submit } = process.env;
  const requiredLimits = Object.fromEntries(limitNames.map((name) => [name, adapter.limits[name]!]));
  const device = await ticks.settle(ticks.during(() => adapter.requestDevice({ requiredLimits })));
  const { WebGPUBackend, webgpu_util } = (await import(packages.backend as string)) as BackendPackage;
  const backend = new WebGPUBackend(device, adapter.info) as WebgpuBackend;
  env().set('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE', Number(submit ?? 64));
  dispatchSparingly(backend);
  const run = shaderRunner(webgpu_util);
  registerWebgpuKernels(run);
  if (wantsSoftwareKernels(adapter.info)) registerSoftwareKernels(run);
  else registerHardwareKernels(run);
  readSynchronously(backend, { ticks, faults: watchFaults(device) });
  return backend;
}

async function load(powerPreference: PowerPreference): Promise<WebgpuLoad> {
  const missing = missingVulkan();
  if (missing) return refused(missing);
  try {
    const ticks = catchTicks();
    const gpu = await loadDawn();
    const adapter = await ticks.settle(ticks.during(() => gpu.requestAdapter({ powerPreference })));
    if (!adapter) return refused('no GPU was found; is its driver installed?');
    const backend = await openBackend(adapter, ticks);
    removeBackend('webgpu'); // the package registers its own, which cannot read under Node
    registerBackend('webgpu', () => backend);
    const { info } = adapter;
    const engine = { backendName: 'webgpu', adapter: nameOf(info), software: isSoftware(info) } as const;
    return { available: true, engine: { ...engine, version: dawnVersion() }, refusals: [] };
  } catch (error) {
    return refused(`it does not start: ${firstLine(error)}`);
  }
}

let loaded: Promise<WebgpuLoad> | undefined;

/**
 * Makes a GPU available as TensorFlow.js backend `webgpu` through Vulkan, Metal or D3D12, without making it current. Later calls in the
 * same process give what the first one found. Never throws for a missing or broken GPU: the reason is in the result.
 */
export function loadWebgpu(powerPreference: PowerPreference = 'high-performance'): Promise<WebgpuLoad> {
  return (loaded ??= load(powerPreference));
}
