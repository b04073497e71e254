/** How this command is started: as this process was. */
export const bulwarkCommand = (): readonly string[] => [process.execPath, ...process.execArgv, process.argv[1]!];
