import { readPickle, type PickleValue } from './pickle.js';
import { ForeignObject } from './pickle-objects.js';
import { fileTypeSizes, invalidWeights } from './stored-tensor.js';
import { readLegacyCheckpoint } from './torch-legacy.js';
import { storageType, torchGlobals, TorchStorage } from './torch-tensor.js';
import { openZip, type ZipArchive } from './zip.js';

/** Storages of an archive, each decoded once, however many tensors share it. */
function storageReader(zip: ZipArchive, folder: string): (id: PickleValue) => unknown {
  const known = new Map<string, TorchStorage>();
  return (id) => {
    const [kind, type, key, , count] = (Array.isArray(id) ? id : []) as unknown[];
    if (kind !== 'storage' || typeof key !== 'string' || !Number.isSafeInteger(count))
      return new ForeignObject('external reference');
    const dtype = storageType(type);
    if (!dtype) return new ForeignObject('storage');
    const found = known.get(key);
    if (found) return found;
    const name = `${folder}data/${key}`;
    const size = zip.size(name);
    if (size !== (count as number) * fileTypeSizes[dtype]!)
      throw new Error(`storage ${key} has ${size} bytes, not ${String(count)} numbers of ${dtype}`);
    const storage = new TorchStorage(dtype, count as number, () => zip.read(name));
    known.set(key, storage);
    return storage;
  };
}

/** Whether bytes begin as a zip archive does, PyTorch's form since 1.6: with an entry, or without any. */
export const isTorchZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 &&
  bytes[1] === 0x4b &&
  ((bytes[2] === 0x03 && bytes[3] === 0x04) || (bytes[2] === 0x05 && bytes[3] === 0x06));

/** Whether bytes look like a pickle of Python 3's default protocols, of which PyTorch's form before 1.6 is a row. */
export const isPickle = (bytes: Uint8Array): boolean => bytes[0] === 0x80 && bytes[1]! >= 2 && bytes[1]! <= 5;

/**
 * Reads what `torch.save` wrote, in the zip form or in that before PyTorch 1.6: tensors, numbers, text and plain containers, as `readPickle`
 * returns them, with `TorchTensor` in place of tensors. Nothing in the file is executed; objects of other classes are inert.
 * @throws BulwarkError WEIGHTS_INVALID
 */
export function readTorchCheckpoint(bytes: Uint8Array, where = 'the checkpoint'): PickleValue {
  if (!isTorchZip(bytes)) return readLegacyCheckpoint(bytes, where);
  const zip = openZip(bytes);
  const pickle = zip.names.find((name) => /^[^/]*\/data\.pkl$/.test(name) || name === 'data.pkl');
  if (!pickle) throw notACheckpoint(zip, where);
  const folder = pickle.slice(0, -'data.pkl'.length);
  const order = `${folder}byteorder`;
  if (zip.names.includes(order) && Buffer.from(zip.read(order)).toString() !== 'little')
    throw invalidWeights(`${where} was written on a big-endian machine`, 'save it again on a little-endian machine');
  return readPickle(zip.read(pickle), {
    globals: torchGlobals(bytes.length),
    persistent: storageReader(zip, folder),
    where,
  });
}

/** What other zip archives are. */
function notACheckpoint({ names }: ZipArchive, where: string): Error {
  const has = (pattern: RegExp) => names.find((name) => pattern.test(name));
  const inner = has(/\.(?:pth?|ckpt|safetensors|bin)(?:\.tar)?$/i);
  if (inner) return invalidWeights(`${where} is a zip archive that holds ${inner}`, 'unpack it and pass that file');
  if (has(/\.npy$/))
    return invalidWeights(`${where} is an npz file of numpy`, 'pass a file that torch.save has written');
  if (has(/(?:^|\/)config\.json$/) && has(/weights\.h5$/))
    return invalidWeights(`${where} is a .keras file`, 'convert it to a layers model: tensorflowjs_converter');
  return invalidWeights(`${where} is a zip archive without data.pkl`, 'pass a file that torch.save has written');
}
