/** The PyTorch that `--pip` fetches. */
export const torchVersion = '2.13.0';

/** The oldest PyTorch whose headers have all that the addon calls. */
export const oldestTorch = '2.6';

/** The builds of that version for processors, with the digests of their wheels as PyTorch's index states them. */
export const torchWheels = {
  linux: {
    requirement: `torch==${torchVersion}+cpu`,
    sha256: [
      '84453b69508ec79902f899c5ed9495acb9e2bbe9fda5f1d5d6f19e3c3842e1a7', // cp311 linux-arm64
      '6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b', // cp311 linux-x64
      '6f307c2c32d764ffc6ff6893b801fad6d4752f3e67966cb8abf1843427c02604', // cp312 linux-arm64
      '4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2', // cp312 linux-x64
      '0b8f7d0423027ae8b90c7977c627f3379f325363a08224dffad9b4b2d684a83d', // cp313 linux-arm64
      '3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6', // cp313 linux-x64
      'ca021f9eb2f8345c83fa03e3a04587308afb8df71bd472670b3ece00df58621c', // cp314 linux-arm64
      'd20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691', // cp314 linux-x64
    ],
  },
  darwin: {
    requirement: `torch==${torchVersion}`,
    sha256: [
      'e76f9bcecc52b8ff711239a2f7547d5353df95878ab232f0773c1d95928b92f8', // cp311
      '2fe228aba290d14b9f31b049be550dbd469c3fd3013d7a19705b30454da97027', // cp312
      '33449899ce5496c1b84b4853179d94fd102028ae1407314d9fb956bb79e70d09', // cp313
      'd849b390e07d8d333ce8ecaf91b273c656c598379a19c9acf1318a883f6b391c', // cp314
    ],
  },
} as const;
