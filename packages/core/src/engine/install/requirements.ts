import { mkdir, statfs } from 'node:fs/promises';
import { BulwarkError } from '../../errors.js';
import { askPython } from './ask-python.js';
import { run } from './run.js';

/** Refuses a disk with less than `bytes` free for `folder`. */
export async function requireSpace(folder: string, bytes: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= bytes) return;
  const megabytes = (value: number) => `${Math.round(value / 1e6)} MB`;
  throw new BulwarkError(
    'ENGINE_INSTALL',
    `${folder} has ${megabytes(free)} free; the install needs ${megabytes(bytes)}`,
    {
      hint: 'free some space, or set BULWARK_CACHE to a folder on a larger disk',
    },
  );
}

/** The C++ compiler: `CXX`, else the first of the usual names that runs. */
export async function requireCompiler(): Promise<string> {
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  for (const name of names) if ((await run(name, ['--version'])).code === 0) return name;
  throw new BulwarkError('ENGINE_INSTALL', `no C++ compiler: tried ${names.join(', ')}`, {
    hint:
      process.platform === 'darwin'
        ? 'run `xcode-select --install`'
        : 'install one (Debian, Ubuntu: `apt-get install g++`), or set CXX to the name or path of one, without options',
  });
}

/** The Python that pip is run with: `BULWARK_PYTHON`, else python3, else python. */
export async function requirePython(): Promise<string> {
  const names = process.env.BULWARK_PYTHON ? [process.env.BULWARK_PYTHON] : ['python3', 'python'];
  const tried: string[] = [];
  for (const name of names) {
    const said = await askPython<string | null>(
      name,
      'answer = sys.executable if sys.version_info >= (3, 8) else None',
    );
    if ('lack' in said) tried.push(`${name} ${said.lack}`);
    else if (said.answer === null) tried.push(`${name} is older`);
    else return said.answer;
  }
  throw new BulwarkError('ENGINE_INSTALL', `no Python 3.8 or newer: ${tried.join('; ')}`, {
    hint: 'install python3 with pip (Debian, Ubuntu: `apt-get install python3-pip`), or set BULWARK_PYTHON',
  });
}

/** Refuses a Python without pip. */
export async function requirePip(python: string): Promise<void> {
  if ((await run(python, ['-m', 'pip', '--version'])).code === 0) return;
  throw new BulwarkError('ENGINE_INSTALL', `${python} has no pip`, {
    hint: 'install it (Debian, Ubuntu: `apt-get install python3-pip`), or set BULWARK_PYTHON to a Python that has it',
  });
}
