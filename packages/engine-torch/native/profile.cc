// What PyTorch's own profiler sees of what is run: operators as the processor calls them and, on an NVIDIA GPU, kernels as the GPU runs
// them, those of CUDA graphs among them.

#if __has_include(<torch/csrc/autograd/profiler_kineto.h>)
#include <torch/csrc/autograd/profiler_kineto.h>
#define BULWARK_PROFILE
#endif

#include <cstdlib>
#include <unordered_map>

#include "call.h"

namespace bulwark {

#ifdef BULWARK_PROFILE

namespace {

using namespace torch::profiler::impl;
namespace profiler = torch::autograd::profiler;

/** startProfile() */
napi_value startProfile(Call& call) {
  setenv("KINETO_LOG_LEVEL", "6", /*overwrite=*/0);  // it would tell of its start and end
  const ProfilerConfig config(ProfilerState::KINETO);
  std::set<ActivityType> activities{ActivityType::CPU};
  if (call.engine.device.is_cuda()) activities.insert(ActivityType::CUDA);
  profiler::prepareProfiler(config, activities);
  profiler::enableProfiler(config, activities);
  return call.none();
}

/** stopProfile() -> [names, [place of its name, on the GPU?, microseconds from the start, how many it took, ...] in order of their starts] */
napi_value stopProfile(Call& call) {
  const auto found = profiler::disableProfiler();
  std::vector<napi_value> names;
  std::unordered_map<std::string, double> places;
  std::vector<double> numbers;
  for (const auto& event : found->events()) {
    const auto [known, fresh] = places.emplace(event.name(), static_cast<double>(names.size()));
    if (fresh) names.push_back(call.result(std::string_view(known->first)));
    const double start = static_cast<double>(event.startNs()) - static_cast<double>(found->trace_start_ns());
    for (double number : {known->second, event.deviceType() == at::kCPU ? 0.0 : 1.0, start / 1e3, static_cast<double>(event.durationNs()) / 1e3})
      numbers.push_back(number);
  }
  return call.result({call.result(names), call.resultNumbers(numbers)});
}

}  // namespace

void provideProfile(napi_env env, napi_value exports) {
  provide(env, exports, {{"startProfile", startProfile}, {"stopProfile", stopProfile}});
}

#else

void provideProfile(napi_env, napi_value) {}

#endif

}  // namespace bulwark
