import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const isLibrary = /did not self-register/i;

/** Whether the dynamic linker finds a library; Node complains about any that is no addon, after loading it. */
function loads(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library);
    return true;
  } catch (error) {
    return isLibrary.test((error as Error).message);
  }
}

const filesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
};

/** The folders in which the Vulkan loader looks for drivers. */
function driverFolders(): string[] {
  const { XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_CONFIG_DIRS, XDG_DATA_DIRS } = process.env;
  const roots = [
    XDG_CONFIG_HOME || join(homedir(), '.config'),
    XDG_DATA_HOME || join(homedir(), '.local', 'share'),
    ...(XDG_CONFIG_DIRS || '/etc/xdg').split(delimiter),
    ...(XDG_DATA_DIRS || '/usr/local/share:/usr/share').split(delimiter),
    '/etc',
  ];
  return roots.map((root) => join(root, 'vulkan', 'icd.d'));
}

/**
 * Why Vulkan cannot work on this Linux machine, or undefined if it might (or is not needed, as on other systems). Asked
 * before Dawn is, which would write warnings of its own.
 */
export function missingVulkan(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  if (!loads('libvulkan.so.1'))
    return 'the Vulkan loader libvulkan.so.1 is missing (Debian and Ubuntu: apt-get install libvulkan1)';
  const named = process.env.VK_DRIVER_FILES || process.env.VK_ICD_FILENAMES || process.env.VK_ADD_DRIVER_FILES;
  if (named)
    return named.split(delimiter).some((path) => existsSync(path))
      ? undefined
      : `VK_DRIVER_FILES or VK_ICD_FILENAMES names ${named}, which is not there`;
  if (driverFolders().some((folder) => filesIn(folder).length > 0)) return undefined;
  return "no Vulkan driver is installed; a GPU's driver brings one";
}
