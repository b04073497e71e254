// Passes for JavaScript: a network is prepared once, a pass is one call there and one back.

#include "pass.h"
#include "recording.h"

#include <ATen/Context.h>

#include "call.h"

namespace bulwark {

namespace {

/** cuDNN measures its algorithms while this lives, if the shape is worth it. */
class Measuring {
 public:
  explicit Measuring(bool on) : on_(on) { if (on_) at::globalContext().setBenchmarkCuDNN(true); }
  ~Measuring() { if (on_) at::globalContext().setBenchmarkCuDNN(false); }
  Measuring(const Measuring&) = delete;

 private:
  const bool on_;
};

/** prepare(nodes) -> program */
napi_value prepare(Call& call) { return call.result(call.engine.programs.add(std::make_shared<Program>(readGraph(call, 0)))); }

/** unprepare(program): forgets it; passes that are under way go on. */
napi_value unprepare(Call& call) {
  call.engine.programs.take(call.handle(0));
  return call.none();
}

/** forget(program): frees what was made of weights. */
napi_value forget(Call& call) {
  call.engine.programs.at(call.handle(0))->weights.clear();
  return call.none();
}

/** unrecorded(program) -> why its passes are no more recorded, or nothing */
napi_value unrecorded(Call& call) {
  return call.result(std::string_view(call.engine.programs.at(call.handle(0))->recordings->failure));
}

/**
 * pass(program, images, weights, [statistics of the batch?, gradients in images?, in weights?, bfloat16?])
 * -> [pass, logits of each batch, [node, mean, variance, is it unbiased?, ...] of each batch]
 */
napi_value pass(Call& call) {
  std::shared_ptr<Program> program = call.engine.programs.at(call.handle(0));
  const auto images = call.tensors(1);
  program->weights.bind(call.engine, call.handles(2));
  const auto flags = call.integers(3);
  if (flags.at(2) != 0) program->weights.releaseFolded();
  const Mode mode{flags.at(0) != 0, flags.at(1) != 0, flags.at(2) != 0, flags.at(3) != 0 ? at::kBFloat16 : at::kFloat};
  const bool measured = call.engine.measures && program->shapes.known(images);
  const Measuring measuring(measured);
  std::unique_ptr<Pass> pass;
  if (call.engine.recorded != Recorded::never) pass = program->recordings->open(program, mode, images, call.engine.recorded);
  if (pass)
    call.engine.replays++;
  else
    pass = std::make_unique<EagerPass>(program, mode, images);
  pass->measured = measured;
  std::vector<napi_value> logits, statistics;
  for (const Output& output : pass->outputs) {
    logits.push_back(call.result(output.logits));
    std::vector<napi_value> found;
    for (const auto& [node, each] : output.statistics) {
      found.push_back(call.result(static_cast<double>(node)));
      found.push_back(call.result(each.mean));
      found.push_back(call.result(each.variance));
      found.push_back(call.result(each.unbiased ? 1.0 : 0.0));
    }
    statistics.push_back(call.result(found));
  }
  const napi_value handle = call.result(call.engine.passes.add(std::move(pass)));
  return call.result({handle, call.result(logits), call.result(statistics)});
}

/** A gradient in memory as any other tensor: sums over it come out the same, wherever it has been meanwhile (other ranks). */
napi_value gradientOf(Call& call, const at::Tensor& found) { return call.result(found.contiguous()); }

/** Gives gradients to a function of JavaScript's, if there is one: (place, gradient) */
TakeGradient taker(Call& call, size_t argument) {
  if (!call.given(argument)) return {};
  return [&call, argument](int place, const at::Tensor& gradient) {
    napi_value given[] = {call.result(static_cast<double>(place)), gradientOf(call, gradient)};
    check(napi_call_function(call.env, call.none(), call.value(argument), 2, given, nullptr), "a gradient is not taken");
  };
}

/**
 * pullback(pass, gradient in the logits of each batch or null, keep?, take(place, gradient) or nothing)
 * -> [gradients in images, [place, gradient, ...] in weights that were not taken]
 */
napi_value pullback(Call& call) {
  Pass& pass = *call.engine.passes.at(call.handle(0));
  std::vector<std::optional<at::Tensor>> dLogits;
  for (napi_value each : call.elements(call.value(1))) {
    const bool none = call.typeOf(each) == napi_null;
    dLogits.push_back(none ? std::nullopt : std::optional<at::Tensor>(call.tensorAt(each)));
  }
  const Measuring measuring(pass.measured);
  auto found = pass.pullBack(dLogits, call.flag(2), taker(call, 3));
  std::vector<napi_value> images, weights;
  if (pass.mode.images)
    for (at::Tensor& each : found.images) images.push_back(call.result(std::move(each)));
  for (auto& [place, gradient] : found.weights) {
    weights.push_back(call.result(static_cast<double>(place)));
    weights.push_back(gradientOf(call, gradient));
  }
  return call.result({call.result(images), call.result(weights)});
}

/** discard(pass): frees what it keeps. */
napi_value discard(Call& call) {
  call.engine.passes.take(call.handle(0));
  return call.none();
}

}  // namespace

void providePasses(napi_env env, napi_value exports) {
  provide(env, exports,
          {{"prepare", prepare}, {"unprepare", unprepare}, {"forget", forget}, {"unrecorded", unrecorded}, {"pass", pass}, {"pullback", pullback}, {"discard", discard}});
}

}  // namespace bulwark
