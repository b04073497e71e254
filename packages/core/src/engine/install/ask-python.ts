import { existsSync, statSync } from 'node:fs';
import { join, parse, resolve } from 'node:path';
import { run } from './run.js';

const mark = 'BULWARK-ANSWER';

/**
 * What a Python interpreter finds for `answer`, which the script sets, or why it says nothing. Whatever else it prints, wherever, does not matter.
 * It does not see modules in the folder that it runs in: that may be anybody's.
 */
export async function askPython<Answer>(
  python: string,
  script: string,
  timeoutMs = 60_000,
): Promise<{ readonly answer: Answer } | { readonly lack: string }> {
  const folder = lackOfFolder(python);
  if (folder !== undefined) return { lack: folder };
  const whole = `import json, sys\nsys.path[:] = [each for each in sys.path if each]\n${script}\nprint('\\n${mark}' + json.dumps(answer))`;
  const program = /[\\/]/.test(python) ? resolve(python) : python;
  const { code, stdout, tail } = await run(program, ['-c', whole], { cwd: parse(process.execPath).root, timeoutMs });
  const said = stdout.split('\n').findLast((line) => line.startsWith(mark));
  const last = tail.split('\n').at(-1)!;
  const quoted = last === '' ? '' : ` (${last.slice(0, 160)})`;
  if (said !== undefined) return { answer: JSON.parse(said.slice(mark.length)) as Answer };
  if (code === -1) return { lack: `does not run${/ENOENT$/.test(last) ? '' : quoted}` };
  return { lack: `does not answer as Python 3 does${quoted}` };
}

/** What is wrong with a folder in an interpreter's place. */
function lackOfFolder(path: string): string | undefined {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const inside = ['bin/python3', 'bin/python', 'python3', 'python'].map((name) => join(path, name)).find(existsSync);
  return inside === undefined ? 'is a folder, and has no Python' : `is a folder; its Python is ${inside}`;
}
