#pragma once
// Work whose kernels are launched at once, again and again at the same addresses: a CUDA graph.

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>

namespace bulwark {

/**
 * Whether passes are recorded. `simulated` runs the work anew at each replay, so that a processor can test all but the graph itself;
 * `wayThere` does so too, and fails to record ways back.
 */
enum class Recorded : int64_t { never = 0, asGraph = 1, simulated = 2, wayThere = 3 };

class Recorder {
 public:
  virtual ~Recorder() = default;
  /** Takes down the work without doing it; its tensors have no values before the first replay. Throws what CUDA says if it cannot be. */
  virtual void record(const std::function<void()>& work) = 0;
  virtual void replay() = 0;
};

/** Whether the addon was built with what graphs on this device need. */
bool records(const at::Device& device);

/** @throws where `asGraph` is not to be had */
std::unique_ptr<Recorder> makeRecorder(Recorded how, const at::Device& device);

}  // namespace bulwark
