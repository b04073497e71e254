#include "call.h"
#include "pass.h"

namespace bulwark {

Engine::Engine() = default;
Engine::~Engine() = default;

Engine& Engine::of(napi_env env) {
  void* engine = nullptr;
  napi_get_instance_data(env, &engine);
  return *static_cast<Engine*>(engine);
}

}  // namespace bulwark

// the addon may be loaded in several environments (worker threads), each with tensors of its own
extern "C" __attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  using namespace bulwark;
  auto* engine = new Engine();
  napi_set_instance_data(env, engine, [](napi_env, void* data, void*) { delete static_cast<Engine*>(data); }, nullptr);
  try {
    for (auto* each : {provideData, provideOperators, provideSettings, provideLayers, providePasses, provideUpdates, provideSums, provideStore, provideProfile}) each(env, exports);
  } catch (const std::exception& error) {
    napi_throw_error(env, "TORCH", error.what());
  }
  return exports;
}
