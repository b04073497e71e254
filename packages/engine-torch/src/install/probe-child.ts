import { printReport } from '@bulwark/core/install';
import { loadAddon } from '../addon.js';
import { wrongNativeProducts } from './known-products.js';

printReport(() => {
  const native = loadAddon(process.argv[2]!);
  const [torch, , , cuda] = native.facts();
  native.useTf32(0);
  const wrong = wrongNativeProducts(native);
  if (wrong !== undefined) return { wrong: `on the processor, ${wrong}` };
  if (!cuda) return { torch, gpu: 'built without CUDA' };
  try {
    native.useDevice('cuda:0');
  } catch (error) {
    return { torch, gpu: (error as Error).message.split('\n')[0] };
  }
  const wrongThere = wrongNativeProducts(native);
  if (wrongThere !== undefined) return { wrong: `on the GPU, ${wrongThere}` };
  return { torch, gpu: native.deviceName() || 'cuda:0' };
});
