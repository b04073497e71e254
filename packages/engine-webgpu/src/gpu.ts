/**
 * The parts of WebGPU that we use. The packages behind them are optional, so their types may not be there either.
 */
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  readonly isFallbackAdapter?: boolean;
}

export interface Adapter {
  readonly info: AdapterInfo;
  readonly limits: Readonly<Record<string, number>>;
  requestDevice(descriptor: { requiredLimits: Record<string, number> }): Promise<Device>;
}

/** Which of several GPUs is asked for. */
export type PowerPreference = 'high-performance' | 'low-power';

/** `navigator.gpu` of a browser. */
export interface Gpu {
  requestAdapter(options: { powerPreference: PowerPreference }): Promise<Adapter | null>;
}

export interface GpuBuffer {
  readonly size: number;
  readonly mapState: 'unmapped' | 'pending' | 'mapped';
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export interface Device {
  readonly limits: Readonly<Record<string, number>>;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  createBuffer(descriptor: { size: number; usage: number }): GpuBuffer;
  addEventListener(type: 'uncapturederror', listener: (event: { error: Error }) => void): void;
  destroy(): void;
}

/** The npm package `webgpu`: Dawn, the WebGPU of Chromium, for Node. */
export interface DawnPackage {
  create(options: string[]): Gpu;
  readonly globals: Readonly<Record<string, unknown>>;
}
