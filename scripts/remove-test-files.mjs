// Jest calls this when all tests are done.
import { rmSync } from 'node:fs';

// eslint-disable-next-line import-x/no-default-export -- jest asks for one
export default function removeTestFiles() {
  // not for a run of tests that a test began
  if (process.env.TEST_FILES_OF === String(process.pid))
    rmSync(process.env.TEST_FILES, { recursive: true, force: true });
}
