#include "gpu.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>

namespace bulwark::gpu {

// the allocators of all kinds of devices have one interface since 2.9
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 9

bool seesMemory() { return true; }

namespace {

/** Bytes free and in all; since 2.10. */
template <typename Allocator>
std::pair<double, double> freeAndTotal(Allocator* allocator, c10::DeviceIndex index) {
  if constexpr (requires { allocator->getMemoryInfo(index); }) {
    const auto [free, total] = allocator->getMemoryInfo(index);
    return {static_cast<double>(free), static_cast<double>(total)};
  }
  return {0, 0};
}

}  // namespace

std::vector<double> memory(const at::Device& device) {
  auto* allocator = device.is_cuda() ? dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type())) : nullptr;
  if (!allocator) return {};
  const auto stats = allocator->getDeviceStats(device.index());
  constexpr auto all = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
  const auto& bytes = stats.allocated_bytes[all];
  const std::vector<double> known{static_cast<double>(bytes.current), static_cast<double>(bytes.peak)};
  allocator->resetPeakStats(device.index());
  const auto [free, total] = freeAndTotal(allocator, device.index());
  // what tensors gave back is kept for the next ones; the driver counts it as taken
  const double kept = static_cast<double>(stats.reserved_bytes[all].current - bytes.current);
  return total > 0 ? std::vector<double>{known[0], known[1], free + kept, total} : known;
}

#else

bool seesMemory() { return false; }
std::vector<double> memory(const at::Device&) { return {}; }

#endif

std::string name(const at::Device& device) {
  if (!device.is_cuda()) return "";
  // NVIDIA's driver, which CUDA has loaded, counts only the devices that this process may see, as CUDA does
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  if (!driver) return "";
  using Get = int (*)(int*, int);
  using GetName = int (*)(char*, int, int);
  const auto get = reinterpret_cast<Get>(dlsym(driver, "cuDeviceGet"));
  const auto getName = reinterpret_cast<GetName>(dlsym(driver, "cuDeviceGetName"));
  int number = 0;
  char text[256] = "";
  const bool known = get && getName && get(&number, device.index()) == 0 && getName(text, sizeof text, number) == 0;
  dlclose(driver);
  return known ? text : "";
}

}  // namespace bulwark::gpu
