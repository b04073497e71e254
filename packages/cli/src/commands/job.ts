import { resolve } from 'node:path';
import { Command } from 'commander';
import { workOnJob, type GiveCommand } from '../launch/work.js';

/** `bulwark job <folder>`: what launchers run. `give` gives another command of bulwark. */
export function jobCommand(give: GiveCommand): Command {
  return new Command('job')
    .description('do what the folder of a job says; launchers give this command')
    .argument('<folder>', 'a folder under jobs/ of a sweep, a reproduction or a run')
    .action((folder: string) => workOnJob(resolve(folder), give));
}
