#pragma once
// What needs CUDA's headers. Without them the addon works on CUDA all the same, without a look at the memory.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace bulwark::cuda {

bool seesMemory();

/** Bytes in use, their peak since the last call, bytes free, bytes in all; nothing where it is not known. */
std::vector<double> memory(const at::Device& device);

/** The GPU's name; empty where it is not known. */
std::string name(const at::Device& device);

}  // namespace bulwark::cuda
