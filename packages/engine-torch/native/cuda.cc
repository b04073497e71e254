#include "cuda.h"

#ifdef BULWARK_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>
#endif

namespace bulwark::cuda {

#ifdef BULWARK_CUDA

bool seesMemory() { return true; }

std::vector<double> memory(const at::Device& device) {
  if (!device.is_cuda()) return {};
  const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(device.index());
  const auto& bytes = stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return {};
  c10::cuda::CUDACachingAllocator::resetPeakStats(device.index());
  return {static_cast<double>(bytes.current), static_cast<double>(bytes.peak), static_cast<double>(free), static_cast<double>(total)};
}

std::string name(const at::Device& device) { return device.is_cuda() ? at::cuda::getDeviceProperties(device.index())->name : ""; }

#else

bool seesMemory() { return false; }
std::vector<double> memory(const at::Device&) { return {}; }
std::string name(const at::Device&) { return ""; }

#endif

}  // namespace bulwark::cuda
