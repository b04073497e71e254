import { existsSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { BulwarkError } from '@bulwark/core';
import { askPython } from '@bulwark/core/install';
import { oldestTorch } from '../versions.js';
import { torchIn, type Torch } from './torch.js';

// Importing torch takes seconds and could fail for reasons that do not matter here, so it is only looked for.
const findScript = `
import importlib.util
spec = importlib.util.find_spec('torch')
places = list(spec.submodule_search_locations or []) if spec else []
answer = {'python': sys.executable, 'folder': places[0] if places else None}`;

/** A Python interpreter to be asked, and why it is one. */
interface Candidate {
  readonly python: string;
  readonly why: string;
}

const inEnvironment = (folder: string): string =>
  process.platform === 'win32' ? join(folder, 'python.exe') : join(folder, 'bin', 'python');

/** Interpreters that may have PyTorch, the likeliest first. */
function candidates(python: string | undefined): Candidate[] {
  if (python !== undefined) return [{ python, why: '--python' }];
  const { BULWARK_PYTHON, VIRTUAL_ENV, CONDA_PREFIX } = process.env;
  return [
    ...(BULWARK_PYTHON ? [{ python: BULWARK_PYTHON, why: 'BULWARK_PYTHON' }] : []),
    ...(VIRTUAL_ENV ? [{ python: inEnvironment(VIRTUAL_ENV), why: 'the active virtual environment' }] : []),
    ...(CONDA_PREFIX ? [{ python: inEnvironment(CONDA_PREFIX), why: 'the active conda environment' }] : []),
    { python: 'python3', why: 'PATH' },
    { python: 'python', why: 'PATH' },
  ];
}

interface Answer {
  readonly python: string;
  readonly folder: string | null;
}

const isOld = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldMajor = 0, oldMinor = 0] = oldestTorch.split('.').map(Number);
  return major < oldMajor || (major === oldMajor && minor < oldMinor);
};

const howToGetOne =
  'install it there (`pip install torch`), name another Python with --python, or use --pip, which fetches it into ' +
  "Bulwark's own cache and leaves your Python alone";

/** A PyTorch to build against, or, where there is none, what was found in its place. */
export async function findTorch(
  python?: string,
  timeoutMs?: number,
): Promise<(Torch & { readonly source: string }) | BulwarkError> {
  const asked: string[] = [];
  const known = new Set<string>();
  for (const candidate of candidates(python)) {
    if (candidate.why === '--python' && /[\\/]/.test(candidate.python) && !existsSync(candidate.python))
      return new BulwarkError('ENGINE_INSTALL', `--python ${candidate.python}: no such file`, {
        hint: 'give the path of a Python interpreter, or a command on PATH',
      });
    const said = await askPython<Answer>(candidate.python, findScript, timeoutMs);
    if ('lack' in said) {
      asked.push(`${candidate.python} (${candidate.why}) ${said.lack}`);
      continue;
    }
    const { answer } = said;
    const real = existsSync(answer.python) ? realpathSync(answer.python) : answer.python;
    const place = `${dirname(answer.python)} ${real}`;
    if (known.has(place)) continue;
    known.add(place);
    if (answer.folder === null) {
      asked.push(`${answer.python} (${candidate.why}) has no torch`);
      continue;
    }
    const torch = torchIn(answer.folder);
    if ('lack' in torch) asked.push(torch.lack);
    else if (isOld(torch.version))
      asked.push(`PyTorch ${torch.version} in ${torch.folder} is older than ${oldestTorch}`);
    else return { ...torch, source: `PyTorch ${torch.version} of ${answer.python}` };
  }
  return new BulwarkError('ENGINE_INSTALL', `no PyTorch to build against: ${asked.join('; ')}`, { hint: howToGetOne });
}
