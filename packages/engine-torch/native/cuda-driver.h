#pragma once
// The functions of NVIDIA's driver that streams and events take. CUDA has loaded it; its interface is stable and needs no headers, of which
// pip's packages of PyTorch have a part only.

#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace bulwark {

/** A function of a library, by its name. */
template <typename Function>
void loadFunction(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (!function) throw std::runtime_error(std::string(name) + " is not to be had");
}

struct CudaDriver {
  using Stream = void*;
  using Event = void*;
  static constexpr int notReady = 600;

  /** @throws where there is none: it is there once a tensor is on a GPU */
  static const CudaDriver& get();
  /** @throws with the name of what it refused */
  static void check(int result, const char* what);

  int (*getContext)(void** context);
  int (*setContext)(void* context);
  int (*exchangeCaptureMode)(int* mode);
  int (*createStream)(Stream* stream, unsigned flags);
  int (*destroyStream)(Stream stream);
  int (*wait)(Stream stream, Event event, unsigned flags);
  int (*createEvent)(Event* event, unsigned flags);
  int (*record)(Event event, Stream stream);
  int (*query)(Event event);
  int (*destroyEvent)(Event event);
  int (*getDevice)(int* device, int number);
  int (*getUuid)(char* uuid, int device);
};

}  // namespace bulwark
