//===- MetricsTest.cpp - How good a network is ----------------------------===//
//
// Figures worked out by hand, NaN, and that cutting samples into batches changes no bit.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Metrics.h"

#include "test/unit/runtime/host/HostTest.h"

#include <cmath>
#include <random>

namespace cnn::host {
namespace {

std::unique_ptr<Metric> made(const std::vector<std::string> &names, const MetricOptions &options = {}) {
  Result<std::unique_ptr<Metric>> metric = makeMetrics(names, options);
  EXPECT_OK(metric);
  return metric ? std::move(*metric) : nullptr;
}

double valueOf(const Metric &metric, std::string_view name) {
  for (const auto &[known, value] : metric.values())
    if (known == name)
      return value;
  ADD_FAILURE() << "no value " << name;
  return 0;
}

MetricBatch batch(std::span<const float> scores, std::vector<int64_t> shape, std::span<const int64_t> labels) {
  return {scores, std::move(shape), labels, {}};
}

TEST(MetricsTest, AccuracyAndTopK) {
  // Predictions: 1 (label 1), 0 by the first of equals (label 1), 2 (label 0).
  const float scores[] = {0.1F, 0.7F, 0.2F, 3, 3, 1, 0.1F, 0.2F, 0.7F};
  const int64_t labels[] = {1, 1, 0};
  auto metric = made({"accuracy", "top1", "top2", "top5"});
  EXPECT_TRUE(std::isnan(valueOf(*metric, "accuracy")));
  ASSERT_OK(metric->add(batch(scores, {3, 3}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*metric, "accuracy"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "top1"), 1.0 / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "top2"), 2.0 / 3);
  EXPECT_EQ(valueOf(*metric, "top5"), 1);
  metric->clear();
  EXPECT_TRUE(std::isnan(valueOf(*metric, "top2")));
}

TEST(MetricsTest, BinaryFiguresAreOfClassOne) {
  // Logits: TP 2, FP 1, FN 1, TN 1 (0 is class 0).
  const float scores[] = {2, 0.5F, 3, -1, 0};
  const int64_t labels[] = {1, 1, 0, 1, 0};
  auto metric = made({"accuracy", "precision", "recall", "f1", "iou", "mean_recall", "confusion"});
  ASSERT_OK(metric->add(batch(scores, {5, 1}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*metric, "accuracy"), 3.0 / 5);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "precision"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "recall"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "f1"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "iou"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "mean_recall"), (2.0 / 3 + 0.5) / 2);
  EXPECT_EQ(metric->values().size(), 6U); // the matrix has no value
  ASSERT_NE(metric->confusion(), nullptr);
  EXPECT_EQ(metric->confusion()->count(0, 1), 1);
  auto probabilities = made({"accuracy"}, {.threshold = 0.5});
  ASSERT_OK(probabilities->add(batch(scores, {5}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*probabilities, "accuracy"), 2.0 / 5); // now 0.5 is class 0
}

TEST(MetricsTest, MacroFiguresLeaveOutAbsentClasses) {
  // Labels 0 0 1 1 2, predictions 0 1 1 1 0; class 3 does not occur, class 2 is never predicted.
  std::vector<float> scores;
  for (int predicted : {0, 1, 1, 1, 0})
    for (int c = 0; c < 4; ++c)
      scores.push_back(c == predicted ? 1.0F : 0.0F);
  const int64_t labels[] = {0, 0, 1, 1, 2};
  auto metric = made({"precision", "recall", "f1", "miou"}, {.classNames = {"a", "b", "c", "d"}, .everyClass = true});
  ASSERT_OK(metric->add(batch(scores, {5, 4}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*metric, "precision"), (0.5 + 2.0 / 3 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "recall"), (0.5 + 1 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "f1"), (0.5 + 0.8 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "miou"), (1.0 / 3 + 2.0 / 3 + 0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "recall[b]"), 1);
  EXPECT_EQ(valueOf(*metric, "precision[c]"), 0);
  EXPECT_TRUE(std::isnan(valueOf(*metric, "f1[d]")));
}

TEST(MetricsTest, SegmentationCountsPixels) {
  // One image of 2x2, two classes, planes one after the other: predictions 0 1 / 1 1.
  const float scores[] = {3, 0, 0, 0, 1, 1, 1, 1};
  const int64_t labels[] = {0, 0, 1, ignoredLabel};
  auto metric = made({"accuracy", "iou", "miou"});
  ASSERT_OK(metric->add(batch(scores, {1, 2, 2, 2}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*metric, "accuracy"), 2.0 / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "iou"), 0.5);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "miou"), 0.5);
  auto single = made({"miou"});
  const float logits[] = {-1, 1, 1, 1};
  ASSERT_OK(single->add(batch(logits, {1, 1, 2, 2}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*single, "miou"), 0.5);
}

TEST(MetricsTest, CountErrorIsOfObjects) {
  // Two images of 2x3, one logit a pixel: one object for two, with a diagonal that joins nothing, and three for one.
  const float scores[] = {1, 1, 1, -1, -1, -1, 1, -1, 1, -1, 1, -1};
  const int64_t labels[] = {1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0};
  auto metric = made({"count_error", "accuracy"});
  EXPECT_TRUE(std::isnan(valueOf(*metric, "count_error")));
  ASSERT_OK(metric->add(batch(scores, {2, 1, 2, 3}, labels)));
  EXPECT_DOUBLE_EQ(valueOf(*metric, "count_error"), (1.0 + 2.0) / 3);
  EXPECT_DOUBLE_EQ(valueOf(*metric, "accuracy"), 10.0 / 12);
  metric->clear();
  const float two[] = {0, 9, 9, 0, 9, 0, 0, 9};
  const int64_t twoLabels[] = {1, 0, 0, 1};
  ASSERT_OK(metric->add(batch(two, {1, 2, 2, 2}, twoLabels)));
  EXPECT_EQ(valueOf(*metric, "count_error"), 0);
  EXPECT_EQ(errorOf(metric->add(batch(scores, {12, 1}, labels))),
            "objects are counted in images of at most 255 classes, not in scores of shape 12x1");
}

TEST(MetricsTest, PeakSignalToNoise) {
  const float output[] = {0.1F, 0.5F, 0.5F, 1};
  const float wanted[] = {0, 0.5F, 0.5F, 1};
  auto metric = made({"psnr"});
  ASSERT_OK(metric->add({output, {2, 2}, {}, wanted}));
  EXPECT_NEAR(valueOf(*metric, "psnr"), 10 * std::log10(1 / 0.0025), 1e-6);
  auto bytes = made({"psnr"}, {.peak = 255});
  const float a[] = {0, 10}, b[] = {0, 0};
  ASSERT_OK(bytes->add({a, {1, 2}, {}, b}));
  EXPECT_NEAR(valueOf(*bytes, "psnr"), 10 * std::log10(255.0 * 255 / 50), 1e-12);
  auto same = made({"psnr"});
  ASSERT_OK(same->add({wanted, {4}, {}, wanted}));
  EXPECT_EQ(valueOf(*same, "psnr"), HUGE_VAL);
}

TEST(MetricsTest, AreaUnderRoc) {
  // scikit-learn's example: 3 of 4 pairs are in order.
  const int64_t labels[] = {0, 0, 1, 1};
  EXPECT_EQ(areaUnderRoc(std::vector<double>{0.1, 0.4, 0.35, 0.8}, labels), 0.75);
  EXPECT_EQ(areaUnderRoc(std::vector<double>{1, 2, 3, 4}, labels), 1);
  EXPECT_EQ(areaUnderRoc(std::vector<double>{4, 3, 2, 1}, labels), 0);
  EXPECT_EQ(areaUnderRoc(std::vector<double>{5, 5, 5, 5}, labels), 0.5);
  EXPECT_EQ(areaUnderRoc(std::vector<double>{1, 2, 2, 3}, labels), 0.875); // one tie among four pairs
  const int64_t one[] = {1, 1, 1, 1};
  EXPECT_TRUE(std::isnan(areaUnderRoc(std::vector<double>{1, 2, 3, 4}, one)));
  EXPECT_TRUE(std::isnan(areaUnderRoc(std::vector<double>{1, NAN, 3, 4}, labels)));
}

TEST(MetricsTest, AreaUnderRocOfNetworks) {
  const int64_t labels[] = {0, 0, 1, 1};
  const float two[] = {0, 0.1F, 0, 0.4F, 0, 0.35F, 0, 0.8F};
  auto metric = made({"auc"});
  ASSERT_OK(metric->add(batch(two, {4, 2}, labels)));
  EXPECT_EQ(valueOf(*metric, "auc"), 0.75);
  // Three classes: the order is that of softmax probabilities, also where they round to 1.
  const float three[] = {200, 0, 0, 100, 0, 0, 0, 1, 0, 1, 0, 0};
  const int64_t classes[] = {0, 1, 1, 2};
  auto many = made({"auc"});
  ASSERT_OK(many->add(batch(three, {4, 3}, classes)));
  // Class 0: first of four, 1. Class 1: positives have p = e^-100 (second last) and 0.58; negatives e^-200 and 0.21: 3
  // / 4. Class 2: positive 0.21; negatives e^-200, e^-100, 0.21: 2.5 / 3.
  EXPECT_NEAR(valueOf(*many, "auc"), (1 + 0.75 + 2.5 / 3) / 3, 1e-12);
}

TEST(MetricsTest, NanIsNeverRight) {
  const float scores[] = {NAN, 1, 2, 0};
  const int64_t labels[] = {1, 0};
  auto metric = made({"accuracy", "top2", "recall", "auc", "confusion"});
  ASSERT_OK(metric->add(batch(scores, {2, 2}, labels)));
  EXPECT_EQ(valueOf(*metric, "accuracy"), 0.5);
  EXPECT_EQ(valueOf(*metric, "top2"), 0.5);
  EXPECT_EQ(valueOf(*metric, "recall"), 0);
  EXPECT_TRUE(std::isnan(valueOf(*metric, "auc")));
  EXPECT_EQ(metric->undefinedSamples(), 1);
  EXPECT_EQ(metric->confusion()->undefined(), 1);
  EXPECT_EQ(metric->confusion()->total(), 2);
  auto noise = made({"psnr"});
  const float wanted[] = {0, 1, 2, 0};
  ASSERT_OK(noise->add({scores, {2, 2}, {}, wanted}));
  EXPECT_TRUE(std::isnan(valueOf(*noise, "psnr")));
  EXPECT_EQ(noise->undefinedSamples(), 1);
}

TEST(MetricsTest, BatchesDoNotMatter) {
  const unsigned seed = 20;
  std::mt19937 random(seed);
  const size_t samples = 97, classes = 5;
  std::vector<float> scores(samples * classes), losses(samples);
  std::vector<int64_t> labels(samples);
  std::vector<float> targets(samples * classes);
  for (float &score : scores)
    score = static_cast<float>(random() % 1000) / 300;
  for (float &target : targets)
    target = static_cast<float>(random() % 1000) / 300;
  for (float &loss : losses)
    loss = static_cast<float>(random() % 1000) / 7;
  for (int64_t &label : labels)
    label = static_cast<int64_t>(random() % classes);
  std::vector<std::string> names = metricNames();
  std::erase(names, "count_error"); // of images
  auto run = [&](size_t size) {
    auto metric = made(names);
    Mean mean;
    for (size_t begin = 0; begin < samples; begin += size) {
      const size_t count = std::min(size, samples - begin);
      EXPECT_OK(metric->add({std::span(scores).subspan(begin * classes, count * classes),
                             {static_cast<int64_t>(count), static_cast<int64_t>(classes)},
                             std::span(labels).subspan(begin, count),
                             std::span(targets).subspan(begin * classes, count * classes)}));
      mean.add(std::span(losses).subspan(begin, count));
    }
    std::vector<NamedValue> values = metric->values();
    values.emplace_back("loss", mean.value());
    return values;
  };
  const std::vector<NamedValue> whole = run(samples);
  for (size_t size : {1U, 7U, 32U, 96U})
    EXPECT_EQ(run(size), whole) << "seed " << seed << ", batches of " << size;
}

TEST(MetricsTest, MeanIsWeighted) {
  Mean mean;
  EXPECT_TRUE(std::isnan(mean.value()));
  mean.add(1, 3);
  mean.add(5, 1);
  EXPECT_EQ(mean.value(), 2);
  EXPECT_EQ(mean.weight(), 4);
}

TEST(MetricsTest, SaysWhatIsWrong) {
  const std::string wrong[] = {"acuracy"};
  EXPECT_EQ(errorOf(makeMetrics(wrong, {})), "no metric is called 'acuracy' (did you mean 'accuracy'?)");
  const std::string second[] = {"accuracy.2"};
  EXPECT_NE(errorOf(makeMetrics(second, {})), "no error");
  const std::string strange[] = {"elephants"};
  EXPECT_NE(errorOf(makeMetrics(strange, {})).find("(there are accuracy, top5, precision"), std::string::npos);
  const std::string matrix[] = {"confusion"};
  EXPECT_EQ(errorOf(makeMetrics(matrix, {.classes = 20000})),
            "a confusion matrix of 20000 classes is too large (at most 4096)");
  auto metric = made({"accuracy", "psnr"}, {.classes = 3});
  const float scores[] = {1, 2, 3, 1, 2, 3};
  const int64_t labels[] = {0, 3};
  EXPECT_EQ(errorOf(metric->add({scores, {2, 3}, labels, {}})), "psnr compares 6 values with 0");
  EXPECT_EQ(errorOf(metric->add({scores, {2, 3}, labels, scores})), "a label is 3, but there are 3 classes");
  EXPECT_EQ(errorOf(metric->add({scores, {3, 2}, labels, scores})),
            "metrics got 2 labels for scores of shape 3x2 (expected 3)");
  EXPECT_EQ(errorOf(metric->add({scores, {2, 2}, labels, scores})), "metrics got 6 scores for a shape of 2x2");
  const int64_t three[] = {0, 1, 0};
  EXPECT_EQ(errorOf(metric->add({scores, {3, 2}, three, scores})), "metrics for 3 classes got scores of shape 3x2");
  // Nothing was counted.
  EXPECT_TRUE(std::isnan(valueOf(*metric, "accuracy")));
}

TEST(MetricsTest, KnowsWhatIsBetter) {
  EXPECT_TRUE(higherIsBetter("accuracy"));
  EXPECT_TRUE(higherIsBetter("top5"));
  EXPECT_TRUE(higherIsBetter("top10"));
  EXPECT_TRUE(higherIsBetter("psnr"));
  EXPECT_FALSE(higherIsBetter("count_error"));
  EXPECT_TRUE(higherIsBetter("accuracy.2"));
  EXPECT_TRUE(higherIsBetter("recall[cat]"));
  EXPECT_FALSE(higherIsBetter("loss"));
  EXPECT_FALSE(higherIsBetter("loss.2"));
  EXPECT_FALSE(higherIsBetter("topology"));
}

} // namespace
} // namespace cnn::host
