#include "recorder.h"

#ifdef BULWARK_CUDA_GRAPHS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include <stdexcept>

namespace bulwark {

namespace {

class Simulated : public Recorder {
 public:
  void record(const std::function<void()>& work) override { work_ = work; }
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

#ifdef BULWARK_CUDA_GRAPHS

class CudaGraph : public Recorder {
 public:
  explicit CudaGraph(const at::Device& device) : device_(device) {}

  void record(const std::function<void()>& work) override {
    const c10::cuda::CUDAGuard onDevice(device_);
    c10::cuda::device_synchronize();
    const c10::cuda::CUDAStreamGuard aside(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device_.index()));
    // libraries make their workspaces for this stream, which they could not while it is recorded
    work();
    c10::cuda::device_synchronize();
    graph_.capture_begin();
    try {
      work();
    } catch (...) {
      // a recording that broke off has to be ended; what it says then matters less than why
      try {
        graph_.capture_end();
      } catch (...) {
      }
      throw;
    }
    graph_.capture_end();
  }

  void replay() override {
    const c10::cuda::CUDAGuard onDevice(device_);
    graph_.replay();
  }

 private:
  const at::Device device_;
  at::cuda::CUDAGraph graph_;
};

#endif

}  // namespace

#ifdef BULWARK_CUDA_GRAPHS
bool records(const at::Device& device) { return device.is_cuda(); }
#else
bool records(const at::Device&) { return false; }
#endif

std::unique_ptr<Recorder> makeRecorder(Recorded how, const at::Device& device) {
  if (how == Recorded::simulated || how == Recorded::wayThere) return std::make_unique<Simulated>();
#ifdef BULWARK_CUDA_GRAPHS
  if (how == Recorded::asGraph && device.is_cuda()) return std::make_unique<CudaGraph>(device);
#endif
  throw std::runtime_error("passes cannot be recorded on " + device.str());
}

}  // namespace bulwark
