#pragma once
// Whether kernels of our own serve where they can, on processors. Without them passes go as they do on GPUs, by PyTorch's: so that these ways
// can be tested without one.

#include <atomic>

namespace bulwark {

inline std::atomic<bool> ownKernels{true};

}  // namespace bulwark
