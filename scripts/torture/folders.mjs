// Run folders as a stranger could make them: whatever stands in them, nothing of theirs runs, and every refusal is in words.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { BulwarkError, createRandom } from '../../packages/core/dist/index.js';
import { digestOf } from '../../packages/core/dist/files/index.js';
import { builtinRegistry } from '../../packages/cli/dist/index.js';
import { openTarget } from '../../packages/cli/dist/evaluate/open-target.js';
import { page, reportBody } from '../../packages/cli/dist/report/build-report.js';
import { readRuns } from '../../packages/cli/dist/report/read-run.js';
import { honestRun } from './honest-run.mjs';

const main = resolve('packages/cli/dist/main.js');
const script = '<img src=x onerror=alert(1)>';

/** Writes a file when it is run, wherever it is named. */
const plugin = (marker) => `import { writeFileSync } from 'node:fs';
writeFileSync(${JSON.stringify(marker)}, '');
export const plugin = { kind: 'objective', name: 'natural', create: () => ({}) };
`;

const sealed = (content) => {
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return JSON.stringify(content);
  const { sha256: _, ...rest } = content;
  return JSON.stringify({ ...rest, sha256: digestOf(rest) });
};
const plain = (content) => `${JSON.stringify(content)}\n`;
const files = {
  'config.json': sealed,
  'summary.json': plain,
  'metrics.jsonl': plain,
  'timings.jsonl': plain,
  'evaluation/best/custom.json': sealed,
};

function pathsIn(value, path = []) {
  const inside =
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, part]) => pathsIn(part, [...path, key]))
      : [];
  return [path, ...inside];
}

function replaced(value, [key, ...rest], by) {
  if (key === undefined) return by;
  const copy = Array.isArray(value) ? [...value] : { ...value };
  copy[key] = replaced(copy[key], rest, by);
  return copy;
}

export async function torture({ until, seed, folder, report }) {
  mkdirSync(folder, { recursive: true });
  const random = createRandom(seed, 'torture-folders');
  const pick = (list) => list[random.integer(list.length)];
  const marker = join(folder, 'was-run');
  await honestRun(folder);
  const [honest, hostile] = [join(folder, 'honest'), join(folder, 'hostile')];
  const evil = join(folder, 'evil.mjs');
  writeFileSync(evil, plugin(marker));
  mkdirSync(join(folder, 'node_modules/evil'), { recursive: true });
  writeFileSync(
    join(folder, 'node_modules/evil/package.json'),
    '{"name":"evil","type":"module","exports":"./index.js"}',
  );
  writeFileSync(join(folder, 'node_modules/evil/index.js'), plugin(marker));
  symlinkSync(evil, join(folder, 'link.mjs'));

  const specifiers = [
    ...[
      './evil.mjs',
      '../evil.mjs',
      evil,
      'evil',
      './link.mjs',
      `file://${evil}`,
      `./evil.mjs?x`,
      `./hostile/../evil.mjs`,
    ],
    ...[
      `data:text/javascript,${plugin(marker)}`,
      `data:text/javascript;base64,${Buffer.from(plugin(marker)).toString('base64')}`,
    ],
    ...['node:child_process', 'https://example.org/x.mjs', `//${evil}`, 'evil/index.js', '#evil', `blob:${evil}`],
    ...[
      `DATA:text/javascript,${plugin(marker)}`,
      ` ${evil}`,
      `\t./evil.mjs`,
      './evil',
      './hostile/checkpoints/../../evil.mjs',
      '',
    ],
  ];
  const values = [
    ...[
      script,
      { html: script, text: script },
      null,
      [],
      {},
      -1,
      1e308,
      '__proto__',
      'constructor',
      true,
      '\u0000',
      '../../../etc',
    ],
    ...[{ signal: "data('x')" }, [[script]], '$&$`', '\u001b]0;x\u0007', ...specifiers.map((specifier) => [specifier])],
  ];
  const restore = () => {
    rmSync(hostile, { recursive: true, force: true });
    cpSync(honest, hostile, { recursive: true });
  };
  const contents = Object.fromEntries(
    Object.keys(files).map((name) => {
      const text = readFileSync(join(honest, name), 'utf8');
      return [name, JSON.parse(name.endsWith('.jsonl') ? text.split('\n')[0] : text)];
    }),
  );
  const paths = Object.fromEntries(Object.entries(contents).map(([name, content]) => [name, pathsIn(content)]));
  const put = (name, content) => {
    mkdirSync(dirname(join(hostile, name)), { recursive: true });
    writeFileSync(join(hostile, name), content);
  };

  const check = async (what, work) => {
    report.attempt();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof BulwarkError)) report.failure(`${what}: ${error?.stack ?? error}`);
    }
    if (existsSync(marker)) {
      report.failure(`${what}: code of the folder was run`);
      rmSync(marker);
    }
  };
  const opening = { registry: builtinRegistry(), warn: () => undefined };
  const open = async () => (await openTarget(hostile, {}, opening)).model.dispose();
  const draw = async () => {
    const runs = await readRuns([hostile], () => undefined);
    const text = page('title', await reportBody(runs, { written: new Date(0) }));
    if (/<img src=x|<script/.test(text)) report.failure('markup of the folder is in the report');
  };
  const commands = [
    ['report', hostile, '--out', join(folder, 'report.html'), '--images', '1'],
    ['evaluate', hostile, '--images', '5'],
    ['export', hostile, '--to', 'tfjs', '--out', join(folder, 'export')],
    ['train', '--resume', hostile],
    ['pseudo-label', '--model', hostile, '--data', 'fashion-mnist-mini', '--out', join(folder, 'labels.npz')],
    ['compare', hostile],
    ['analyze', 'landscape', hostile, '--images', '1', '--out', join(folder, 'figure')],
  ];
  /** A process may fail, but never as a fault of Bulwark, and never in silence. */
  const command = (what) => {
    const args = pick(commands);
    const began = Date.now();
    const { status, signal, stderr, error } = spawnSync(process.execPath, [main, ...args], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 120_000,
      env: { ...process.env, NO_COLOR: '1' },
    });
    if (status !== 0 && ![1, 2].includes(status))
      report.failure(
        `${args.slice(0, 2).join(' ')} on ${what} ended with ${error?.code ?? signal ?? status} after ${Date.now() - began} ms: ${stderr.slice(0, 1000)}`,
      );
  };

  restore();
  await openTarget(hostile, { plugins: [evil] }, opening).catch(() => undefined);
  if (!existsSync(marker)) throw new Error('the trap does not work: a plugin that was named left no mark');
  rmSync(marker);
  for (let i = 0; Date.now() < until(); i++) {
    restore();
    const asksForPlugin = random.integer(3) === 0;
    const name = asksForPlugin ? 'config.json' : pick(Object.keys(files));
    const [path, value] = asksForPlugin
      ? [['config', 'plugins'], [pick(specifiers)]]
      : [pick(paths[name]), pick(values)];
    let content = replaced(contents[name], path, value);
    if (asksForPlugin) content = { ...content, baseFolder: pick([folder, hostile, '/', join(folder, 'node_modules')]) };
    const what = `${name}, ${path.join('.')} = ${JSON.stringify(value).slice(0, 80)}`;
    put(name, files[name](content));
    await check(what, draw);
    if (name === 'config.json') await check(what, open);
    // a process takes a second or two
    if (i % 25 === 0) await check(what, () => command(what));
  }
}
