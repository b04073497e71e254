#!/usr/bin/env node
import { program } from './program.js';
import { fail } from './terminal/fail.js';

await program().parseAsync(process.argv).catch(fail);
