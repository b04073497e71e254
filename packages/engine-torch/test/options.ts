import { torch } from '../src/engine.js';
import type { TorchOptions } from '../src/session.js';

/** The engine's defaults on a device, `meta` among them. Tensors in tests are tiny: more threads only wait for each other. */
export const optionsOn = (device: string): TorchOptions =>
  ({ ...torch.options.parse({ threads: 1 }), device }) as TorchOptions;
