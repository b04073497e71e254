import { createRequire } from 'node:module';
import { Command } from 'commander';
import { analyzeCommand } from './commands/analyze.js';
import { compareCommand } from './commands/compare.js';
import { createCommand } from './commands/create.js';
import { benchCommand } from './commands/bench.js';
import { dataCommand } from './commands/data.js';
import { demoCommand } from './commands/demo.js';
import { doctorCommand } from './commands/doctor.js';
import { engineCommand } from './commands/engine.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { initCommand } from './commands/init.js';
import { jobCommand } from './commands/job.js';
import { modelsCommand } from './commands/models.js';
import { pluginsCommand } from './commands/plugins.js';
import { pseudoLabelCommand } from './commands/pseudo-label.js';
import { reportCommand } from './commands/report.js';
import { reproduceCommand } from './commands/reproduce.js';
import { schemaCommand } from './commands/schema.js';
import { sweepCommand } from './commands/sweep.js';
import { trainCommand } from './commands/train.js';
import { trustCommand } from './commands/trust.js';
import { verifyCommand } from './commands/verify.js';
import { watchCommand } from './commands/watch.js';
import { checkFlags } from './terminal/flag-rules.js';

const { version } = createRequire(import.meta.url)('../package.json') as { version: string };

/** The whole command; each subcommand is a file under commands/. */
export function program(): Command {
  const root = new Command('bulwark')
    .description('train neural networks that withstand adversarial examples')
    .version(version)
    .option('--debug', 'show stack traces')
    .addHelpText('after', '\nStart with:\n  bulwark demo\n  bulwark init && bulwark train bulwark.yaml');
  const commands = [
    demoCommand(),
    initCommand(),
    createCommand(),
    trainCommand(),
    compareCommand(),
    evaluateCommand(),
    reportCommand(),
    watchCommand(),
    sweepCommand(),
    reproduceCommand(),
    analyzeCommand(),
    pluginsCommand(),
    modelsCommand(),
    schemaCommand(),
    engineCommand(),
    doctorCommand(),
    benchCommand(),
    dataCommand(),
    pseudoLabelCommand(),
    exportCommand(),
    trustCommand(),
    verifyCommand(),
  ];
  for (const command of commands) root.addCommand(command.exitOverride());
  root.hook('preAction', (_, command) => checkFlags(command));
  const give = async (words: readonly string[]) => void (await program().parseAsync(['node', 'bulwark', ...words]));
  root.addCommand(jobCommand(give).exitOverride(), { hidden: true });
  return root.exitOverride().showHelpAfterError('(add --help for usage)');
}
