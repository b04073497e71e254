import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';

const onLinux = existsSync('/proc/self/status');

(onLinux ? it : it.skip)('the peak of a process is its own, however large the one that started it', () => {
  const ballast = Buffer.alloc(400e6, 1);
  const script = `
    import { peakBytes } from '@bulwark/core/run';
    console.log(peakBytes(), process.resourceUsage().maxRSS * 1024);
  `;
  const options = { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8' } as const;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], options);
  const [own, withParents] = stdout.split(' ').map(Number) as [number, number];
  expect(withParents).toBeGreaterThan(ballast.length);
  expect(own).toBeGreaterThan(20e6);
  expect(own).toBeLessThan(ballast.length);
});
