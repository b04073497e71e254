#pragma once
// Which shapes of batches have cuDNN measure its algorithms for their convolutions. Measuring takes as long as some dozen passes with the slowest of
// ten algorithms: training makes thousands of one or two shapes, while AutoAttack goes on with fewer images each time one of them falls. A shape's
// first pass decides, since PyTorch keeps what it chose then.

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <set>
#include <vector>

namespace bulwark {

class Shapes {
 public:
  /** Whether passes of these images are worth it: those of the first shapes that a network sees, of the size of a training batch. */
  bool known(const std::vector<at::Tensor>& images) {
    return std::all_of(images.begin(), images.end(), [this](const at::Tensor& each) {
      const auto shape = each.sizes().vec();
      if (shape.front() > largest) return false;
      if (first_.size() < most) first_.insert(shape);
      return first_.count(shape) > 0;
    });
  }

 private:
  /** Training's batches, its last and smaller one, and those of its validation. */
  static constexpr size_t most = 4;
  static constexpr int64_t largest = 512;
  std::set<std::vector<int64_t>> first_;
};

}  // namespace bulwark
