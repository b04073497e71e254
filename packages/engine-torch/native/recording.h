#pragma once
// Passes to the images alone, as attacks and evaluations make them by the hundred, recorded once per shape, mode and precision and replayed:
// the processor launches one graph instead of every kernel. Passes that weights learn from are not recorded. There is one of them for
// each dozen of the others, and what a recording keeps for its way back is not given back between passes.

#include <ATen/core/Tensor.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pass.h"
#include "recorder.h"

namespace bulwark {

/**
 * Filters as recordings read them, with norms multiplied in and in the type that is computed in, at addresses that stay. An attack makes its
 * passes with one content of the weights, so they are not made in each pass, but by a recording of their own after the content has changed.
 */
class RecordedFilters {
 public:
  RecordedFilters(const Program& program, Recorded how, const at::Device& device);

  /** Whether the weights still lie where they were. */
  bool fits(const std::vector<WeightPlace>& places) const { return places_ == places; }
  /** Makes the filters of these passes of what the weights hold now, unless they are. */
  void refresh(const Program& program, const Mode& mode);

  Weights weights;

 private:
  struct Made {
    std::unique_ptr<Recorder> recorder;
    std::vector<uint64_t> contents;
  };
  const Recorded how_;
  const at::Device device_;
  const std::vector<WeightPlace> places_;
  /** By whether norms are in them, and by type. */
  std::map<std::pair<bool, at::ScalarType>, Made> made_;
};

/** One such pass, at addresses of its own: images are copied in, logits and gradients out. */
class Recording {
 public:
  Recording(Program& program, std::shared_ptr<RecordedFilters> filters, const Mode& mode, const std::vector<at::Tensor>& images, Recorded how);

  /** Whether the weights still lie where they were when this was recorded. */
  bool fits(const std::vector<WeightPlace>& places) const { return filters_->fits(places); }

  void forward(const std::vector<at::Tensor>& images);
  /** The gradients in the images of those batches that have one in their logits; undefined for the others. */
  std::vector<at::Tensor> backward(const std::vector<std::optional<at::Tensor>>& dLogits);
  const std::vector<Batch>& batches() const { return batches_; }
  /** The images that went forward last. */
  const std::vector<at::Tensor>& inputs() const { return inputs_; }

  /** A pass is between its way there and its last way back. */
  bool busy = false;

 private:
  struct WayBack {
    std::unique_ptr<Recorder> recorder;
    std::vector<at::Tensor> dLogits, images;
  };
  Program& program_;
  const Mode mode_;
  const Recorded how_;
  const at::Device device_;
  std::vector<at::Tensor> inputs_;
  const std::shared_ptr<RecordedFilters> filters_;
  std::vector<Batch> batches_;
  std::unique_ptr<Recorder> forward_;
  /** By the batches that have a gradient. */
  std::map<std::vector<bool>, WayBack> back_;
};

/** The recordings of one network. */
class Recordings {
 public:
  /** A recorded pass where there is one, or it is time to make one; otherwise none. */
  std::unique_ptr<Pass> open(const std::shared_ptr<Program>& program, const Mode& mode, const std::vector<at::Tensor>& images, Recorded how);

  /** Why there will be no more. */
  std::string failure;

 private:
  /** Passes alike in mode, precision and shapes. */
  struct Kind {
    int seen = 0, made = 0;
    std::vector<std::shared_ptr<Recording>> recordings;
  };
  std::map<std::vector<int64_t>, Kind> kinds_;
  std::shared_ptr<RecordedFilters> filters_;
};

}  // namespace bulwark
