import { Command } from 'commander';
import { whole } from '../analyze/flags.js';
import { createOutput } from '../terminal/output.js';

interface Flags {
  readonly port: string;
}

/** `bulwark watch <run>`: the report of a running training, on a loopback port. */
export function watchCommand(): Command {
  return new Command('watch')
    .description('serve the live report of runs on this machine; it follows as epochs end')
    .argument('<runs...>', 'run folders, or folders of run folders')
    .option('--port <n>', 'port on the loopback interface; 0 takes a free one', '0')
    .addHelpText('after', '\nExamples:\n  bulwark watch runs/st\n  bulwark watch runs/at runs/st --port 8080')
    .action(async (paths: string[], flags: Flags) => {
      const output = createOutput({});
      const { serveLive } = await import('../report/live-server.js');
      const live = await serveLive(paths, {
        port: whole('port', flags.port, 0),
        every: 1000,
        warn: (text) => output.warn(text),
        onChange: (epochs) =>
          output.line(
            Object.entries(epochs)
              .map(([run, n]) => `${run} epoch ${n}`)
              .join('  '),
          ),
      });
      output.line(`watching at ${live.url}; stop with Ctrl-C`);
      await new Promise<void>((stop) => {
        process.once('SIGINT', () => stop());
        process.once('SIGTERM', () => stop());
      });
      await live.close();
    });
}
