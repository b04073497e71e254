#pragma once
// The state of one JavaScript environment: Node's main thread has one, each worker thread another.

#include <ATen/core/Tensor.h>
#include <node_api.h>

#include <memory>

#include "recorder.h"
#include "reducer.h"
#include "slots.h"

namespace bulwark {

class Program;
class Pass;
struct RankStore;

/** A tensor that JavaScript holds. `content` is a number that no other content ever had: who keeps something computed of it compares that. */
struct Stored {
  at::Tensor tensor;
  uint64_t content;
};

struct Engine {
  at::Device device{at::kCPU};
  Recorded recorded = Recorded::never;
  /** Whether cuDNN may choose by measuring, which gives other bits each time. */
  bool measures = true;
  Slots<Stored> tensors;
  Slots<std::shared_ptr<Program>> programs;
  Slots<std::unique_ptr<Pass>> passes;
  /** Sums over the ranks that train together, if there are several. */
  std::unique_ptr<Reducer> reducer;
  Slots<RunningSum> sums;
  /** Where ranks find each other that have no MPI. */
  std::shared_ptr<RankStore> store;
  /** Copies between host and device of more than one number. */
  double uploads = 0, downloads = 0;
  /** Passes that ran as recordings. */
  double replays = 0;

  Engine();
  ~Engine();
  Handle add(at::Tensor tensor) { return tensors.add({std::move(tensor), ++contents_}); }
  /** Says that a tensor was written in place. */
  void written(Handle handle) { tensors.at(handle).content = ++contents_; }

  static Engine& of(napi_env env);

 private:
  uint64_t contents_ = 0;
};

}  // namespace bulwark
