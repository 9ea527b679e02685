// The sweep of learning rates; FindRate.h has the contract.
#include "tools/cnnc/training/FindRate.h"

using namespace mlir;

namespace cnn {

host::Result<host::LearningRateFinder> findRate(const TrainingProgram &program, const StepModule &step,
                                                const StepModule *augment, const host::Dataset &data,
                                                const RunOptions &options, const host::LearningRateSweep &sweep) {
  auto finder = host::LearningRateFinder::create(sweep);
  auto state = step.newState();
  auto binding = BatchBinding::create(step, program.inputs, augment);
  if (!finder || !state || !binding)
    return !finder ? finder.error() : !state ? state.error() : binding.error();
  auto reports = Reports::create(program, step, *binding, data.classNames());
  if (!reports)
    return reports.error();
  const TrainingSettings &settings = options.settings;
  if (auto done = initializeState(*state, step.module(), program, settings.seed, options.weights); !done)
    return done.error();
  auto session = step.open(settings.batch, options.threads, &*state);
  if (!session)
    return session.error();
  StepCall call(step, settings.batch);
  call.setHyper("seed", static_cast<int64_t>(settings.seed));

  host::LoaderOptions loading;
  loading.batch = settings.batch;
  loading.shuffle = true;
  loading.seed = settings.seed;
  loading.epochs = -1;
  loading.workers = options.workers;
  std::unique_ptr<Augmenter> augmenter;
  if (augment) {
    auto made = Augmenter::create(*augment, program.inputs, settings.batch, options.workers, settings.seed);
    if (!made)
      return made.error();
    augmenter = std::move(*made);
    loading.hook = augmenter->hook();
  }
  auto loader = host::Loader::create(data, loading);
  if (!loader)
    return loader.error();
  for (bool goesOn = true; goesOn;) {
    auto next = (*loader)->next();
    if (!next)
      return next.error();
    const host::Batch &batch = **next;
    for (const TrainingRate &rate : program.rates)
      call.setHyper(rate.hyper, finder->rate());
    call.setHyper("step", batch.step);
    if (auto done = call.run(**session, batch.count, binding->data(batch)); !done)
      return done.error();
    goesOn = finder->add(reports->batchLosses(call).front());
  }
  return finder;
}

} // namespace cnn
