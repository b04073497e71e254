#pragma once
// Which shapes of batches come so often that it pays to have cuDNN measure its algorithms for their convolutions, and to record passes. Measuring
// takes as long as some dozen passes: training makes thousands of one shape, while AutoAttack goes on with fewer images each time one of them falls.

#include <ATen/core/Tensor.h>

#include <map>
#include <vector>

namespace bulwark {

class Shapes {
 public:
  /** Notes a pass. @returns whether its shape is worth it */
  bool note(const std::vector<at::Tensor>& images, bool learns) {
    bool all = true;
    for (const at::Tensor& each : images) {
      int& seen = seen_[each.sizes().vec()];
      // of which weights learn, there will be more
      seen = learns ? often : seen + 1;
      all = all && seen >= often;
    }
    return all;
  }

 private:
  static constexpr int often = 100;
  std::map<std::vector<int64_t>, int> seen_;
};

}  // namespace bulwark
