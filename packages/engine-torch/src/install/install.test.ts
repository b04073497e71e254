import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { coreEngines, useEngine } from '@bulwark/core/engine';
import { integers } from '@bulwark/core/install';
import { emptyMachine } from '../../test/fakes.js';
import type { Handle, Native } from '../backend/index.js';
import { torch } from '../engine.js';
import { addonFile, builds, slotName } from './cache.js';
import { installTorch } from './install.js';
import { wrongNativeProducts } from './known-products.js';
import { probeAddon } from './probe.js';
import { sourcesDigest } from './sources.js';
import { libraryFolder } from './torch.js';

const path = process.env['PATH'];
const machine = emptyMachine();
const install = (options: object = {}) => installTorch({ pip: false, force: false, ...options }, () => undefined);
const refused = (message: RegExp, hint: RegExp) =>
  expect.objectContaining({
    code: 'ENGINE_INSTALL',
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
const compiler = () => machine.command('c++', 'exit 0');

describe('an install on a machine that lacks something', () => {
  it('names the compilers that it tried', async () => {
    machine.python(machine.torch('2.13.0'));
    await expect(install()).rejects.toEqual(refused(/no C\+\+ compiler: tried c\+\+, g\+\+, clang\+\+/, /CXX|xcode/));
    process.env['CXX'] = 'no-such-compiler';
    await expect(install()).rejects.toEqual(refused(/tried no-such-compiler/, /./));
  });

  it('names the Pythons that it asked, and three ways to a torch', async () => {
    compiler();
    const ways = /pip install torch.*--python.*--pip/;
    await expect(install()).rejects.toEqual(
      refused(/python3 \(PATH\) does not run; python \(PATH\) does not run/, ways),
    );
    machine.python(null);
    machine.command('python', 'echo no json; exit 0');
    await expect(install()).rejects.toEqual(
      refused(/python3 \(PATH\) has no torch; python \(PATH\) does not answer as Python 3 does \(no json\)/, ways),
    );
    process.env['VIRTUAL_ENV'] = '/nonexistent';
    await expect(install()).rejects.toEqual(refused(/the active virtual environment\) does not run/, ways));
  });

  it.each<[string, () => string, RegExp]>([
    ['headers', () => machine.torch('2.13.0', ['libraries']), /PyTorch 2\.13\.0 in .* comes without its C\+\+ headers/],
    ['libraries', () => machine.torch('2.13.0', ['headers']), /PyTorch 2\.13\.0 in .* has no libtorch_cpu/],
    ['a version', () => machine.write('site/torch/lib', ''), /has no version\.py: this is no PyTorch/],
    ['years', () => machine.torch('1.13.1+cu117'), /PyTorch 1\.13\.1\+cu117 in .* is older than 2\.6/],
  ])('says that the torch lacks %s', async (_what, torchWithout, message) => {
    compiler();
    machine.python(torchWithout());
    await expect(install()).rejects.toEqual(refused(message, /--pip/));
  });

  it('refuses a Python that is not there, and options that exclude each other', async () => {
    compiler();
    const python = '/nonexistent/python';
    await expect(install({ python })).rejects.toEqual(refused(/--python \/nonexistent\/python: no such file/, /path/));
    const folder = dirname(dirname(machine.python(null)));
    mkdirSync(join(folder, 'env', 'bin'), { recursive: true });
    copyFileSync(join(folder, 'bin', 'python3'), join(folder, 'env', 'bin', 'python3'));
    await expect(install({ python: join(folder, 'env') })).rejects.toEqual(
      refused(/env \(--python\) is a folder; its Python is .*env\/bin\/python3/, /--python/),
    );
    await expect(install({ python: machine.command('ls', 'exit 2') })).rejects.toEqual(
      refused(/ls \(--python\) does not answer as Python 3 does/, /--python/),
    );
    await expect(install({ python, pip: true })).rejects.toEqual(refused(/exclude each other/, /leave out/));
  });

  it('says what is missing for --pip', async () => {
    compiler();
    await expect(install({ pip: true })).rejects.toEqual(refused(/no Python 3\.8 or newer/, /BULWARK_PYTHON/));
    machine.command('python3', 'case "$*" in *pip*) exit 1;; *) echo "BULWARK-ANSWER\\"$0\\"";; esac');
    await expect(install({ pip: true })).rejects.toEqual(refused(/has no pip/, /python3-pip/));
  });

  it('takes no other wheel than those whose digests are known', async () => {
    compiler();
    const log = machine.write('pip.log', '');
    const pip = `echo "$*" >> ${log}`;
    const refusal = 'echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE." >&2; exit 1';
    machine.command(
      'python3',
      `case "$*" in *install*) ${pip}; ${refusal};; *version_info*) echo "BULWARK-ANSWER\\"$0\\"";; esac`,
    );
    await expect(install({ pip: true, cuda: false })).rejects.toEqual(
      refused(/pip gave another torch==2\.13\.0\S* than the one known here/, /do not use this package/),
    );
    const asked = readFileSync(log, 'utf8').trim().split('\n');
    expect(asked).toEqual([expect.stringMatching(/--no-deps .*--require-hashes -r /)]);
  });

  it('shows what the compiler said, and leaves what was there before', async () => {
    const folder = machine.torch('2.13.0');
    machine.python(folder);
    const before = await earlierBuild({ torch: '2.13.0', libraries: libraryFolder({ folder }) });
    machine.command(
      'c++',
      'case "$*" in --version) exit 0;; esac; echo "error: this compiler knows no C++20" >&2; exit 1',
    );
    process.env['PATH'] += `:${path}`; // Node's headers may have to be fetched
    await expect(install({ force: true })).rejects.toEqual(refused(/knows no C\+\+20/, /g\+\+ 11/));
    expect(builds.read(slotName('2.13.0'))).toEqual(before);
    expect(readdirSync(builds.folder()).filter((name) => name.startsWith('build-'))).toHaveLength(1);
  });
});

/** A build as an earlier install left it, with an addon that no linker takes. */
const earlierBuild = ({
  torch: version,
  libraries,
  sources = sourcesDigest(),
}: {
  torch: string;
  libraries: string;
  sources?: string;
}) =>
  builds.fill(slotName(version), {
    keep: async () => false,
    async make(folder) {
      writeFileSync(addonFile({ folder }), 'no library');
      return { torch: version, source: 'a test', libraries, cuda: 'no CUDA', sources };
    },
  });

describe('a build that cannot be used any more', () => {
  const about = (version = '2.13.0') => ({
    torch: version,
    libraries: libraryFolder({ folder: machine.torch('2.13.0') }),
  });
  const reasons = async () => (await torch.probe()).refusals!.map(({ reason }) => reason).join('; ');

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'of another PyTorch',
      () => earlierBuild(about('2.12.0')),
      /built against PyTorch 2\.12\.0, and there is 2\.13\.0 now: run `bulwark/,
    ],
    [
      'whose PyTorch is gone',
      () => earlierBuild({ ...about(), libraries: '/gone/lib' }),
      /uses the PyTorch of \/gone, which is gone/,
    ],
    ['of another Bulwark', () => earlierBuild({ ...about(), sources: 'old' }), /built by another version of Bulwark/],
    [
      'whose note is damaged',
      async () => machine.write(`cache/engines/torch/${slotName('2.13.0')}.json`, '{'),
      /is damaged/,
    ],
  ])('is refused %s, with what to do', async (_what, make, reason) => {
    await make();
    const probe = await torch.probe();
    expect(probe.available).toBe(false);
    expect(await reasons()).toMatch(reason);
    expect(await reasons()).toMatch(/bulwark engine install torch/);
  });

  it('serves on where cache and environment have moved together, and names what is gone where only the cache has', async () => {
    await earlierBuild(about());
    const before = await torch.probe();
    expect(before.available).toBe(true);
    const place = dirname(machine.write('place', ''));
    const home = join(place, 'elsewhere');
    mkdirSync(home);
    for (const part of ['cache', 'site']) renameSync(join(place, part), join(home, part));
    process.env['BULWARK_CACHE'] = join(home, 'cache');
    expect(await torch.probe()).toEqual(before);
    rmSync(join(home, 'site'), { recursive: true });
    expect(await reasons()).toBe(
      `it uses the PyTorch of ${join(place, 'site', 'torch')}, which is gone (where it has moved, name its Python with --python): ` +
        'run `bulwark engine install torch --force`',
    );
  });

  it('is passed over by auto where the linker refuses it, and by name says why', async () => {
    await earlierBuild(about());
    delete process.env['BULWARK_ENGINE'];
    const engines = [torch, ...coreEngines];
    const { name, refusals } = await useEngine('auto', { engines });
    expect(name).toBe('wasm');
    expect(refusals!.map(({ reason }) => reason).join()).toMatch(
      /PyTorch 2\.13\.0: .*(invalid ELF header|too short|not a mach-o|slice)/i,
    );
    await expect(useEngine('torch', { engines })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE', hint: expect.stringMatching(/bulwark engine install torch/) }); // prettier-ignore
  });

  it('is refused by the probe in a process of its own', async () => {
    const build = await earlierBuild(about());
    await expect(probeAddon(addonFile(build))).rejects.toEqual(refused(/does not load/, /--force/));
  });
});

describe('the check of numbers', () => {
  /** An addon that multiplies matrices rightly, or nearly so, and does not convolve. */
  const fake = (error: number): Native => {
    const held = new Map<number, Float32Array>();
    const add = (values: Float32Array) => (held.set(held.size, values), (held.size - 1) as Handle);
    const [a, b] = [integers([16, 32], 1), integers([32, 16], 2)];
    const product = new Float32Array(256).map((_, at) => {
      let sum = error;
      for (let k = 0; k < 32; k++) sum += a.data[Math.floor(at / 16) * 32 + k]! * b.data[k * 16 + (at % 16)]!;
      return sum;
    });
    return {
      write: (_shape: readonly number[], values: Float32Array) => add(values),
      operator: () => () => add(product),
      conv2d: () => add(new Float32Array(1344).fill(NaN)),
      read: (handle: Handle) => held.get(handle)!,
      dispose: () => undefined,
    } as unknown as Native;
  };

  it('names what is wrong, and by how much', () => {
    expect(wrongNativeProducts(fake(0.5))).toBe('matmul is off by 0.5 where exact integers were expected');
    expect(wrongNativeProducts(fake(0))).toBe('conv2d is off by NaN where exact integers were expected');
  });
});
