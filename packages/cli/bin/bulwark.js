#!/usr/bin/env node
// Stands in the repository, because npm links commands at installation, before anything is built.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) await import(main.href);
else {
  process.stderr.write('error: Bulwark is not built yet\n  run in the repository: npm run build\n');
  process.exitCode = 1;
}
