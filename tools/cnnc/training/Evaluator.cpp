// Evaluation batch by batch; Evaluator.h has the contract.
#include "tools/cnnc/training/Evaluator.h"

using namespace mlir;

namespace cnn {

using host::Batch;
using host::Result;
using host::Tensor;

Result<std::unique_ptr<Evaluator>> Evaluator::create(const TrainingProgram &program, const StepModule &evaluate,
                                                     const StepModule *augment, EvaluatorOptions options,
                                                     ArrayRef<std::string> classNames) {
  auto state = evaluate.newState();
  if (!state)
    return state.error();
  std::unique_ptr<Evaluator> evaluator(new Evaluator(evaluate, options, std::move(*state)));
  auto plain = BatchBinding::create(evaluate, program.inputs, nullptr);
  if (!plain)
    return plain.error();
  evaluator->plain = std::move(*plain);
  auto session = evaluate.open(options.batch, options.threads, &evaluator->block);
  if (!session)
    return session.error();
  evaluator->session = std::move(*session);
  evaluator->call = std::make_unique<StepCall>(evaluate, options.batch);
  evaluator->call->setHyper("seed", static_cast<int64_t>(options.seed));
  if (options.copies > 0 && augment) {
    auto augmented = BatchBinding::create(evaluate, program.inputs, augment);
    if (!augmented)
      return augmented.error();
    evaluator->augmented = std::move(*augmented);
    auto augmenter = Augmenter::create(*augment, program.inputs, options.batch, /*workers=*/1, options.seed);
    if (!augmenter)
      return augmenter.error();
    evaluator->augmenter = std::move(*augmenter);
  }
  auto reports = Reports::create(program, evaluate, evaluator->plain, classNames);
  if (!reports)
    return reports.error();
  evaluator->figures = std::move(*reports);
  return evaluator;
}

size_t Evaluator::memoryBytes() const {
  return evaluate.sessionBytes(options.batch, options.threads) + static_cast<size_t>(block.bytes());
}

/// Adds the augmented copies' outputs to those of the batch as it is, and divides.
Result<void> Evaluator::average(Batch &batch, std::vector<Tensor> &means) {
  std::vector<std::vector<double>> sums;
  auto accumulate = [&] {
    for (size_t i = 0; i < evaluate.outputs().size(); ++i) {
      std::vector<double> values = call->output(i).toDoubles();
      if (sums.size() <= i)
        sums.push_back(values);
      else
        for (size_t k = 0; k < values.size(); ++k)
          sums[i][k] += values[k];
    }
  };
  accumulate();
  for (int64_t copy = 0; copy < options.copies; ++copy) {
    if (auto done = augmenter->run(batch, 0, batch.step * options.copies + copy); !done)
      return done.error();
    if (auto done = call->run(*session, batch.count, augmented.data(batch)); !done)
      return done.error();
    accumulate();
  }
  means.clear();
  for (size_t i = 0; i < sums.size(); ++i) {
    std::vector<float> values;
    for (double sum : sums[i])
      values.push_back(static_cast<float>(sum / static_cast<double>(options.copies + 1)));
    means.push_back(Tensor::fromFloats(call->output(i).shape, values));
  }
  return {};
}

Result<void> Evaluator::run(const host::Dataset &data, Observer observer) {
  figures->clear();
  if (data.tile(0))
    if (auto done = figures->assemble(data); !done)
      return done;
  host::LoaderOptions loading;
  loading.batch = options.batch;
  loading.workers = options.workers;
  auto loader = host::Loader::create(data, loading);
  if (!loader)
    return loader.error();
  std::vector<Tensor> means;
  while (true) {
    auto next = (*loader)->next();
    if (!next)
      return next.error();
    if (!*next)
      return {};
    const Batch &batch = **next;
    call->setHyper("step", batch.step);
    if (auto done = call->run(*session, batch.count, plain.data(batch)); !done)
      return done.error();
    if (observer)
      observer(batch, *call);
    if (augmenter) {
      Batch copy = batch;
      if (auto averaged = average(copy, means); !averaged)
        return averaged.error();
    }
    if (auto added = figures->add(batch, *call, means); !added)
      return added.error();
  }
}

} // namespace cnn
