#pragma once
// What a GPU is and how full it is, without CUDA's headers: pip's packages of PyTorch come with a part of them only.

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

namespace bulwark::gpu {

/** Whether this PyTorch tells of its GPUs' memory. */
bool seesMemory();

/** Bytes in use, their peak since the last call, bytes free for tensors, bytes in all; nothing where it is not known. */
std::vector<double> memory(const at::Device& device);

/** The GPU's name; empty where it is not known. */
std::string name(const at::Device& device);

}  // namespace bulwark::gpu
