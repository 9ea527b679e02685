//===- SchedulesTest.cpp - Learning rates over time -----------------------===//
//
// Rates worked out by hand, the text form, and a plateau's state over a checkpoint.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Schedules.h"

#include "test/unit/runtime/host/HostTest.h"

#include <cmath>

namespace cnn::host {
namespace {

Schedule made(std::string_view text) {
  Result<Schedule> schedule = parseSchedule(text);
  EXPECT_OK(schedule);
  return schedule ? *schedule : Schedule();
}

/// The rate for a base of 1 in a run of `total` steps, ten an epoch.
double at(const Schedule &schedule, int64_t step, int64_t total = 100) { return schedule.rate(1, {step, 10, total}); }

TEST(SchedulesTest, Constant) {
  EXPECT_EQ(Schedule().rate(0.25, {7, 10, 100}), 0.25);
  EXPECT_EQ(at(made("constant"), 99), 1);
  EXPECT_EQ(at(made("constant()"), 0), 1);
}

TEST(SchedulesTest, StepFallsAtWholeEpochs) {
  const Schedule schedule = made("step(epochs = 3, factor = 0.5)");
  EXPECT_EQ(at(schedule, 0), 1);
  EXPECT_EQ(at(schedule, 29), 1);
  EXPECT_EQ(at(schedule, 30), 0.5);
  EXPECT_EQ(at(schedule, 59), 0.5);
  EXPECT_EQ(at(schedule, 60), 0.25);
  EXPECT_DOUBLE_EQ(at(made("step(3)"), 30), 0.1);
}

TEST(SchedulesTest, ExponentialFallsAtEveryStep) {
  const Schedule schedule = made("exponential(0.81)");
  EXPECT_EQ(at(schedule, 0), 1);
  EXPECT_DOUBLE_EQ(at(schedule, 5), 0.9);
  EXPECT_DOUBLE_EQ(at(schedule, 10), 0.81);
  EXPECT_DOUBLE_EQ(at(made("exponential(factor = 0.81, epochs = 2)"), 10), 0.9);
}

TEST(SchedulesTest, CosineReachesItsMinimumAndStays) {
  const Schedule schedule = made("cosine(epochs = 6, minimum = 0.2)");
  EXPECT_DOUBLE_EQ(at(schedule, 0), 1);
  EXPECT_DOUBLE_EQ(at(schedule, 20), 0.2 + 0.8 * 0.75); // cos(pi / 3) = 0.5
  EXPECT_DOUBLE_EQ(at(schedule, 30), 0.6);
  EXPECT_DOUBLE_EQ(at(schedule, 60), 0.2);
  EXPECT_DOUBLE_EQ(at(schedule, 90), 0.2);
  // Without epochs it takes the whole run.
  EXPECT_DOUBLE_EQ(at(made("cosine"), 50), 0.5);
  EXPECT_NEAR(at(made("cosine"), 100), 0, 1e-15);
}

TEST(SchedulesTest, WarmupRisesToWhatFollows) {
  const Schedule schedule = made("warmup(epochs = 0.4, then = cosine)"); // four steps, then a cosine over 96
  EXPECT_DOUBLE_EQ(at(schedule, 0), 0.2);
  EXPECT_DOUBLE_EQ(at(schedule, 3), 0.8);
  EXPECT_DOUBLE_EQ(at(schedule, 4), 1);
  EXPECT_DOUBLE_EQ(at(schedule, 4 + 48), 0.5);
  EXPECT_NEAR(at(schedule, 100), 0, 1e-15);
  EXPECT_DOUBLE_EQ(at(made("warmup(epochs = 0.4, start = 0.5)"), 1), 0.7);
  EXPECT_DOUBLE_EQ(at(made("warmup(1, then = step(1, 0.5))"), 20), 0.5);
}

TEST(SchedulesTest, OneCycleAsInPyTorch) {
  // PyTorch: OneCycleLR(max_lr = 1, total_steps = 100): up to step 29, down to step 99.
  const Schedule schedule = made("one_cycle");
  EXPECT_NEAR(at(schedule, 0), 0.04, 1e-15);
  EXPECT_DOUBLE_EQ(at(schedule, 29), 1);
  EXPECT_DOUBLE_EQ(at(schedule, 64), (1 + 4e-6) / 2); // half way down: step 29 + 35
  EXPECT_DOUBLE_EQ(at(schedule, 99), 4e-6);
  EXPECT_DOUBLE_EQ(at(schedule, 500), 4e-6);
  // Up: 0.04 + 0.96 * (1 - cos(pi s / 29)) / 2.
  EXPECT_NEAR(at(schedule, 10), 0.04 + 0.96 * (1 - std::cos(M_PI * 10 / 29)) / 2, 1e-15);
}

TEST(SchedulesTest, PlateauWaitsReducesAndCools) {
  Schedule schedule = made("plateau(factor = 0.5, patience = 1, minimum = 0.2, cooldown = 1)");
  EXPECT_EQ(schedule.watched(), "loss");
  schedule.observe(1.0);     // the best
  schedule.observe(0.99995); // better by less than the threshold of 1e-4: the first bad epoch
  EXPECT_EQ(at(schedule, 0), 1);
  schedule.observe(2.0); // the second
  EXPECT_EQ(at(schedule, 0), 0.5);
  schedule.observe(NAN); // cooling
  schedule.observe(2.0);
  EXPECT_EQ(at(schedule, 0), 0.5);
  schedule.observe(2.0);
  EXPECT_EQ(at(schedule, 0), 0.25);
  for (int epoch = 0; epoch < 9; ++epoch)
    schedule.observe(2.0);
  EXPECT_EQ(at(schedule, 0), 0.2); // the minimum
}

TEST(SchedulesTest, PlateauOnAMetricWantsMore) {
  Schedule schedule = made("plateau(patience = 0, on = accuracy)");
  EXPECT_EQ(schedule.watched(), "accuracy");
  schedule.observe(0.5);
  schedule.observe(0.6);
  EXPECT_EQ(at(schedule, 0), 1);
  schedule.observe(0.6);
  EXPECT_DOUBLE_EQ(at(schedule, 0), 0.1);
}

TEST(SchedulesTest, PlateauGoesOnFromItsState) {
  const std::string text = "warmup(1, then = plateau(factor = 0.5, patience = 1))";
  Schedule whole = made(text), first = made(text);
  const double losses[] = {1, 0.9, 0.95, 0.91, 0.8, 0.81, 0.82, 0.83, 0.84};
  for (double loss : losses) {
    whole.observe(loss);
    first.observe(loss);
    Schedule resumed = made(text);
    ASSERT_OK(resumed.restore(first.state()));
    EXPECT_EQ(resumed.state(), whole.state());
    EXPECT_EQ(at(resumed, 50), at(whole, 50));
    first = resumed;
  }
  EXPECT_EQ(at(whole, 50), 0.125);
  EXPECT_EQ(made("cosine").state(), "");
  EXPECT_OK(made("cosine").restore(""));
  EXPECT_EQ(errorOf(made("cosine").restore("{}")),
            "cosine(minimum = 0) keeps no state, but the checkpoint has one: '{}'");
  EXPECT_EQ(errorOf(made("plateau").restore("{\"best\":1}")), "'{\"best\":1}' is not the state of a plateau schedule");
  EXPECT_EQ(errorOf(made("plateau").restore("")), "'' is not the state of a plateau schedule");
}

TEST(SchedulesTest, TextReadsBack) {
  for (const char *text :
       {"constant()", "step(epochs = 3, factor = 0.5)", "cosine(minimum = 1e-05)",
        "cosine(epochs = 30, minimum = 1e-05)", "one_cycle(rise = 0.3, divide = 25, final = 10000)",
        "warmup(epochs = 5, start = 0, then = exponential(factor = 0.95, epochs = 1))",
        "plateau(factor = 0.1, patience = 10, minimum = 0, threshold = 0.0001, cooldown = 0, on = miou)"})
    EXPECT_EQ(made(text).text(), text);
  EXPECT_EQ(made("plateau(on = accuracy.2 , patience = 1)").watched(), "accuracy.2");
  EXPECT_EQ(made(" cosine ( 30 ,minimum=1e-5 )\n").text(), "cosine(epochs = 30, minimum = 1e-05)");
}

TEST(SchedulesTest, SaysWhatIsWrong) {
  auto problem = [](std::string_view text) { return errorOf(parseSchedule(text)); };
  EXPECT_EQ(problem(""), "schedule '': column 1: expected the name of a schedule, found the end");
  EXPECT_EQ(problem("cosin(3)"),
            "schedule 'cosin(3)': column 1: no schedule is called 'cosin' (did you mean 'cosine'?)");
  EXPECT_EQ(problem("linear(3)"), "schedule 'linear(3)': column 1: no schedule is called 'linear' (there are constant, "
                                  "step, exponential, cosine, warmup, one_cycle, plateau)");
  EXPECT_EQ(problem("step"), "schedule 'step': step needs epochs");
  EXPECT_EQ(problem("step(3, gamma = 1)"),
            "schedule 'step(3, gamma = 1)': column 9: step has no 'gamma' (it takes epochs, factor)");
  EXPECT_EQ(problem("step(factor = 1, 3)"),
            "schedule 'step(factor = 1, 3)': column 18: expected a name, as before, found '3'");
  EXPECT_EQ(problem("step(3, epochs = 4)"), "schedule 'step(3, epochs = 4)': column 9: 'epochs' is given twice");
  EXPECT_EQ(problem("step(1, 2, 3)"),
            "schedule 'step(1, 2, 3)': column 12: step takes at most 2 numbers without names");
  EXPECT_EQ(problem("cosine(epochs = x)"), "schedule 'cosine(epochs = x)': column 17: expected a number, found 'x'");
  EXPECT_EQ(problem("cosine(3"), "schedule 'cosine(3': column 9: expected ',' or ')', found the end");
  EXPECT_EQ(problem("cosine(3) 4"), "schedule 'cosine(3) 4': column 11: expected an end, found '4'");
  EXPECT_EQ(problem("cosine(-3)"), "schedule 'cosine(-3)': cosine: epochs is -3 (expected above 0)");
  EXPECT_EQ(problem("plateau(factor = 2)"),
            "schedule 'plateau(factor = 2)': plateau: factor is 2 (expected above 0 and below 1)");
  EXPECT_EQ(problem("plateau(patience = 1.5)"),
            "schedule 'plateau(patience = 1.5)': plateau: patience is 1.5 (expected a whole number)");
  EXPECT_EQ(problem("warmup(1, then = 3)"),
            "schedule 'warmup(1, then = 3)': column 18: expected the name of a schedule, found '3'");
  EXPECT_EQ(problem("cosine(-inf)"), "schedule 'cosine(-inf)': cosine: epochs is -inf (expected above 0)");
  std::string deep;
  for (int i = 0; i < 20; ++i)
    deep += "warmup(1, then = ";
  EXPECT_NE(problem(deep).find("schedules are nested too deeply"), std::string::npos);
  ScheduleSpec spec;
  spec.kind = "cosine";
  spec.watched = "loss";
  EXPECT_EQ(errorOf(Schedule::create(spec)), "cosine has no 'on' (it takes epochs, minimum)");
}

} // namespace
} // namespace cnn::host
