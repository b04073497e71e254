#include "recording.h"

#include <ATen/ops/empty_like.h>

#include <algorithm>

namespace bulwark {

namespace {

/** As often a pass is made as always before it is recorded: by then cuDNN has measured its algorithms, and filters lie as they will. */
constexpr int warmUp = 3;
/** ST keeps one pass while it makes others of the same kind. */
constexpr size_t atOnce = 2;
/** Weights that move more often than this are not worth recording. */
constexpr int mostMade = 8;
/** Each kind has memory of its own. */
constexpr size_t mostKinds = 6;

class RecordedPass : public Pass {
 public:
  RecordedPass(std::shared_ptr<Program> program, std::shared_ptr<Recording> recording, const Mode& mode, const std::vector<at::Tensor>& images)
      : Pass(mode), program_(std::move(program)), recording_(std::move(recording)) {
    recording_->busy = true;
    try {
      recording_->forward(images);
    } catch (...) {
      recording_->busy = false;
      throw;
    }
    for (const Batch& batch : recording_->batches()) outputs.push_back(batch.output.clone());
    if (!mode.gradients()) recording_->busy = false;
  }
  ~RecordedPass() override { recording_->busy = false; }

  // these passes find no gradients in weights
  PulledBack pullBack(const std::vector<std::optional<at::Tensor>>& dLogits, bool keep, const TakeGradient& take) override {
    if (instead_) return instead_->pullBack(dLogits, keep, take);
    PulledBack found;
    try {
      found.images = recording_->backward(dLogits);
    } catch (const std::exception& error) {
      // weights do not change between a pass and its ways back, so the same pass can be made once more, as always
      program_->recordings->failure = error.what();
      instead_ = std::make_unique<EagerPass>(program_, mode, recording_->inputs());
      return instead_->pullBack(dLogits, keep, take);
    }
    for (size_t at = 0; at < dLogits.size(); at++)
      if (!dLogits[at]) found.images[at] = recording_->batches()[at].zeros();
    return found;
  }

 private:
  // the recording refers to the program, which JavaScript may let go of first
  std::shared_ptr<Program> program_;
  std::shared_ptr<Recording> recording_;
  /** Where its way back could not be recorded. */
  std::unique_ptr<EagerPass> instead_;
};

std::vector<int64_t> kindOf(const Mode& mode, const std::vector<at::Tensor>& images) {
  std::vector<int64_t> kind{mode.ofBatch, mode.images, static_cast<int64_t>(mode.type)};
  for (const at::Tensor& each : images) kind.insert(kind.end(), each.sizes().begin(), each.sizes().end());
  return kind;
}

}  // namespace

RecordedFilters::RecordedFilters(const Program& program, Recorded how, const at::Device& device)
    : weights(program.graph), how_(how), device_(device), places_(program.weights.places()) {
  weights.bind(program.weights.views());
}

void RecordedFilters::refresh(const Program& program, const Mode& mode) {
  const bool folded = program.folds(mode);
  // these are the weights themselves
  if (!folded && mode.type == at::kFloat) return;
  auto contents = program.weights.contents();
  Made& made = made_[{folded, mode.type}];
  if (made.contents == contents) return;
  if (!made.recorder) {
    auto recorder = makeRecorder(how_, device_);
    recorder->record([this, &steps = program.steps(mode), type = mode.type] { weights.make(steps, type); });
    made.recorder = std::move(recorder);
  }
  made.recorder->replay();
  made.contents = std::move(contents);
}

Recording::Recording(Program& program, std::shared_ptr<RecordedFilters> filters, const Mode& mode, const std::vector<at::Tensor>& images,
                     Recorded how)
    : program_(program), mode_(mode), how_(how), device_(images.front().device()), filters_(std::move(filters)) {
  for (const at::Tensor& each : images) inputs_.push_back(at::empty_like(each));
}

void Recording::forward(const std::vector<at::Tensor>& images) {
  filters_->refresh(program_, mode_);
  for (size_t at = 0; at < images.size(); at++) inputs_[at].copy_(images[at]);
  if (!forward_) {
    auto recorder = makeRecorder(how_, device_);
    recorder->record([this] {
      batches_.clear();
      for (const at::Tensor& input : inputs_) batches_.emplace_back(program_, filters_->weights, mode_, input);
    });
    forward_ = std::move(recorder);
  }
  forward_->replay();
}

std::vector<at::Tensor> Recording::backward(const std::vector<std::optional<at::Tensor>>& dLogits) {
  if (dLogits.size() != batches_.size()) throw std::invalid_argument("there is one gradient for each batch");
  std::vector<bool> given;
  for (const auto& each : dLogits) given.push_back(each.has_value());
  WayBack& way = back_[given];
  if (way.dLogits.empty()) {
    way.images.resize(dLogits.size());
    for (const auto& each : dLogits) way.dLogits.push_back(each ? at::empty_like(*each) : at::Tensor());
  }
  for (size_t at = 0; at < dLogits.size(); at++)
    if (dLogits[at]) way.dLogits[at].copy_(*dLogits[at]);
  if (!way.recorder) {
    auto recorder = makeRecorder(how_ == Recorded::wayThere ? Recorded::never : how_, device_);
    recorder->record([this, &way] {
      WeightGradients none;
      for (size_t at = batches_.size(); at-- > 0;)
        if (way.dLogits[at].defined()) way.images[at] = batches_[at].pullBack(way.dLogits[at], /*keep=*/true, none);
    });
    way.recorder = std::move(recorder);
  }
  way.recorder->replay();
  std::vector<at::Tensor> images;
  for (const at::Tensor& each : way.images) images.push_back(each.defined() ? each.clone() : each);
  return images;
}

std::unique_ptr<Pass> Recordings::open(const std::shared_ptr<Program>& program, const Mode& mode, const std::vector<at::Tensor>& images,
                                       Recorded how) {
  if (mode.parameters || images.empty() || !failure.empty()) return nullptr;
  const auto name = kindOf(mode, images);
  if (kinds_.size() >= mostKinds && kinds_.count(name) == 0) return nullptr;
  Kind& kind = kinds_[name];
  auto& made = kind.recordings;
  const auto places = program->weights.places();
  if (filters_ && !filters_->fits(places)) filters_.reset();
  std::erase_if(made, [&](const auto& each) { return !each->busy && !each->fits(places); });
  auto idle = std::find_if(made.begin(), made.end(), [&](const auto& each) { return !each->busy && each->fits(places); });
  if (idle == made.end()) {
    if (kind.seen++ < warmUp || made.size() >= atOnce) return nullptr;
    if (kind.made++ >= mostMade) {
      failure = "the weights do not stay where they are in memory";
      return nullptr;
    }
    if (!filters_) filters_ = std::make_shared<RecordedFilters>(*program, how, images.front().device());
    made.push_back(std::make_shared<Recording>(*program, filters_, mode, images, how));
    idle = made.end() - 1;
  }
  try {
    return std::make_unique<RecordedPass>(program, *idle, mode, images);
  } catch (const std::exception& error) {
    failure = error.what();
    kinds_.clear();
    filters_.reset();
    return nullptr;
  }
}

}  // namespace bulwark
