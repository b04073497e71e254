#include "cuda-driver.h"

namespace bulwark {

const CudaDriver& CudaDriver::get() {
  static const CudaDriver driver = [] {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (!library) throw std::runtime_error("NVIDIA's driver is not loaded");
    CudaDriver found{};
    loadFunction(library, "cuCtxGetCurrent", found.getContext);
    loadFunction(library, "cuCtxSetCurrent", found.setContext);
    loadFunction(library, "cuThreadExchangeStreamCaptureMode", found.exchangeCaptureMode);
    loadFunction(library, "cuStreamCreate", found.createStream);
    loadFunction(library, "cuStreamDestroy_v2", found.destroyStream);
    loadFunction(library, "cuStreamWaitEvent", found.wait);
    loadFunction(library, "cuEventCreate", found.createEvent);
    loadFunction(library, "cuEventRecord", found.record);
    loadFunction(library, "cuEventQuery", found.query);
    loadFunction(library, "cuEventDestroy_v2", found.destroyEvent);
    loadFunction(library, "cuDeviceGet", found.getDevice);
    // the second one tells parts of a GPU (MIG) apart
    found.getUuid = reinterpret_cast<decltype(found.getUuid)>(dlsym(library, "cuDeviceGetUuid_v2"));
    if (!found.getUuid) loadFunction(library, "cuDeviceGetUuid", found.getUuid);
    return found;
  }();
  return driver;
}

void CudaDriver::check(int result, const char* what) {
  if (result != 0) throw std::runtime_error(std::string("NVIDIA's driver refuses ") + what + " (error " + std::to_string(result) + ")");
}

}  // namespace bulwark
