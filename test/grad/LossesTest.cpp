// Losses, regularizers, clipping and the layers of ir/Compositions.h: their values by the formulas, their gradients by
// central differences, and that no finite logit makes an infinite loss.
#include "test/grad/Gradients.h"

#include "ir/Compositions.h"
#include "ir/Losses.h"

using namespace mlir;
using namespace cnn;
using namespace cnn::test;

using Elements = llvm::ArrayRef<double>;

/// Scores and targets of one shape: the value is that of `expected`, the gradient the central difference.
static void expectLoss(const std::string &name, double low, double high, bool labels, const Formula &loss,
                       const std::function<double(const Tensor &, const Tensor &)> &expected) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Random random(seed);
    Shape shape = {random.integer(1, 4), random.integer(2, 4), random.integer(1, 3)};
    std::vector<Argument> arguments = {{shape, true, low, high}, {shape, true, 0.01, 1, !labels}};
    std::string what = name + ", seed " + std::to_string(seed);
    expectGradients(random, what, arguments, loss);
    std::vector<Tensor> at = {random.tensor(shape, low, high), random.tensor(shape, 0, 1)};
    if (labels)
      for (double &value : at[1].values)
        value = value < 0.5 ? 0 : 1;
    double value = expected(at[0], at[1]);
    EXPECT_NEAR(Differentiated(arguments, loss).value(at), value, 1e-6 * (1 + std::fabs(value))) << what;
  }
}

/// The mean over elements of fn(x, t).
static auto meanOf(double (*fn)(double, double)) {
  return [=](const Tensor &x, const Tensor &t) {
    double sum = 0;
    for (int64_t i = 0; i < x.elements(); ++i)
      sum += fn(x.values[i], t.values[i]);
    return sum / double(x.elements());
  };
}

/// The mean over positions of the sum over classes of fn(t, log of softmax).
static auto meanOverPositions(const std::function<double(double, double)> &fn) {
  return [=](const Tensor &x, const Tensor &t) {
    int64_t classes = x.shape[1], inner = x.shape[2];
    double total = 0;
    for (int64_t n = 0; n < x.shape[0]; ++n)
      for (int64_t i = 0; i < inner; ++i) {
        auto at = [&](int64_t c) { return (n * classes + c) * inner + i; };
        double sum = 0;
        for (int64_t c = 0; c < classes; ++c)
          sum += std::exp(x.values[at(c)]);
        for (int64_t c = 0; c < classes; ++c)
          total += fn(t.values[at(c)], x.values[at(c)] - std::log(sum));
      }
    return total / double(x.shape[0] * inner);
  };
}

TEST(Losses, OfRegression) {
  expectLoss(
      "mse", -2, 2, false, [](TensorBuilder &b, ValueRange v) { return meanSquaredError(b, v[0], v[1]); },
      meanOf([](double x, double t) { return (x - t) * (x - t); }));
  expectLoss(
      "mae", -2, 2, false, [](TensorBuilder &b, ValueRange v) { return meanAbsoluteError(b, v[0], v[1]); },
      meanOf([](double x, double t) { return std::fabs(x - t); }));
  expectLoss(
      "huber", -2, 2, false, [](TensorBuilder &b, ValueRange v) { return huber(b, v[0], v[1], 0.5); },
      meanOf([](double x, double t) {
        double e = std::fabs(x - t);
        return e <= 0.5 ? e * e / 2 : 0.5 * (e - 0.25);
      }));
}

TEST(Losses, OfTwoClasses) {
  expectLoss(
      "bce", -3, 3, false, [](TensorBuilder &b, ValueRange v) { return binaryCrossEntropy(b, v[0], v[1]); },
      meanOf([](double x, double t) {
        double p = 1 / (1 + std::exp(-x));
        return -(t * std::log(p) + (1 - t) * std::log(1 - p));
      }));
  expectLoss(
      "focal", -3, 3, true, [](TensorBuilder &b, ValueRange v) { return focal(b, v[0], v[1], 2, 0.25); },
      meanOf([](double x, double t) {
        double p = 1 / (1 + std::exp(-x)), q = t ? p : 1 - p;
        return -(t ? 0.25 : 0.75) * (1 - q) * (1 - q) * std::log(q);
      }));
  expectLoss(
      "hinge", -3, 3, false, [](TensorBuilder &b, ValueRange v) { return hinge(b, v[0], v[1]); },
      meanOf([](double x, double t) { return std::max(0.0, 1 - x * t); }));
}

TEST(Losses, OfClasses) {
  expectLoss(
      "cross entropy", -3, 3, false, [](TensorBuilder &b, ValueRange v) { return crossEntropy(b, v[0], v[1]); },
      meanOverPositions([](double t, double logP) { return -t * logP; }));
  expectLoss(
      "kl", -3, 3, false, [](TensorBuilder &b, ValueRange v) { return klDivergence(b, v[0], v[1]); },
      meanOverPositions([](double t, double logP) { return t ? t * (std::log(t) - logP) : 0; }));
  expectLoss(
      "dice", 0, 1, false, [](TensorBuilder &b, ValueRange v) { return dice(b, v[0], v[1]); },
      [](const Tensor &p, const Tensor &t) {
        int64_t image = p.elements() / p.shape[0];
        double total = 0;
        for (int64_t n = 0; n < p.shape[0]; ++n) {
          double common = 0, all = 0;
          for (int64_t i = n * image; i < (n + 1) * image; ++i) {
            common += p.values[i] * t.values[i];
            all += p.values[i] + t.values[i];
          }
          total += 1 - (2 * common + 1) / (all + 1);
        }
        return total / double(p.shape[0]);
      });
}

TEST(Losses, LabelSmoothingMixesWithTheUniformDistribution) {
  auto smoothed = [](TensorBuilder &b, ValueRange v) { return crossEntropy(b, v[0], v[1], 0.1); };
  Differentiated f({{{1, 4}}, {{1, 4}}}, smoothed),
      plain({{{1, 4}}, {{1, 4}}}, [](TensorBuilder &b, ValueRange v) { return crossEntropy(b, v[0], v[1]); });
  Tensor x({1, 4}, {1, -1, 2, 0.5});
  EXPECT_NEAR(f.value({x, Tensor({1, 4}, {0, 0, 1, 0})}),
              plain.value({x, Tensor({1, 4}, {0.025, 0.025, 0.925, 0.025})}), 1e-7);
}

TEST(Losses, APixelsWeightMultipliesItsLoss) {
  Formula weighted = [](TensorBuilder &b, ValueRange v) { return crossEntropy(b, v[0], v[1], 0, v[2]); };
  Random random(1);
  expectGradients(random, "weighted cross entropy",
                  {{{2, 3, 2, 2}, true}, {{2, 3, 2, 2}, true}, {{2, 2, 2}, true, 0, 9}}, weighted);
  Differentiated f({{{1, 2, 1, 2}}, {{1, 2, 1, 2}}, {{1, 1, 2}}}, weighted);
  // Two pixels of equal logits: each has a loss of log 2.
  EXPECT_NEAR(f.value({Tensor({1, 2, 1, 2}), Tensor({1, 2, 1, 2}, {1, 0, 0, 1}), Tensor({1, 1, 2}, {10, 2})}),
              std::log(2.0) * 6, 1e-12);
}

TEST(Losses, KlOfTheStandardNormalDistributionIsZero) {
  Formula kl = [](TensorBuilder &b, ValueRange v) { return gaussianKl(b, v[0], v[1]); };
  Differentiated f({{{2, 2}, true}, {{2, 2}, true}}, kl);
  EXPECT_EQ(f.value({Tensor({2, 2}), Tensor({2, 2})}), 0);
  // (s - log s - 1 + m^2) / 2
  double s = 2, m = 3;
  EXPECT_NEAR(f.value({Tensor({2, 2}, {m, 0, 0, 0}), Tensor({2, 2}, {std::log(s), 0, 0, 0})}),
              (s - std::log(s) - 1 + m * m) / 2 / 2, 1e-12);
  Random random(1);
  expectGradients(random, "gaussian kl", {{{2, 3}, true}, {{2, 3}, true}}, kl);
}

TEST(Losses, AreFiniteForLargeLogits) {
  std::vector<std::pair<std::string, Formula>> losses = {
      {"bce", [](TensorBuilder &b, ValueRange v) { return binaryCrossEntropy(b, v[0], v[1]); }},
      {"cross entropy", [](TensorBuilder &b, ValueRange v) { return crossEntropy(b, v[0], v[1]); }},
      {"kl", [](TensorBuilder &b, ValueRange v) { return klDivergence(b, v[0], v[1]); }},
      {"focal", [](TensorBuilder &b, ValueRange v) { return focal(b, v[0], v[1]); }}};
  std::vector<Tensor> at = {Tensor({2, 2}, {1e4, -1e4, -1e4, 1e4}), Tensor({2, 2}, {1, 0, 1, 0})};
  for (auto &[name, loss] : losses) {
    Differentiated f({{{2, 2}, true}, {{2, 2}, true}}, loss);
    EXPECT_TRUE(std::isfinite(f.value(at))) << name;
    Tensor gradients = f.gradients(at)[0];
    for (double gradient : gradients.values)
      EXPECT_TRUE(std::isfinite(gradient)) << name;
  }
}

TEST(Regularizers, SumOverAllParameters) {
  Formula elastic = [](TensorBuilder &b, ValueRange v) { return regularizer(b, {v[0], v[1]}, 0.5, 0.25); };
  Differentiated f({{{2}}, {{1, 2}}}, elastic);
  EXPECT_EQ(f.value({Tensor({2}, {1, -2}), Tensor({1, 2}, {0, 4})}), 0.5 * 7 + 0.25 * 21);
  expectNear(f.gradients({Tensor({2}, {1, -2}), Tensor({1, 2}, {0, 4})})[0], Tensor({2}, {1, -1.5}), 0);
  Differentiated none({{{2}}}, [](TensorBuilder &b, ValueRange v) { return regularizer(b, {v[0]}, 0, 0); });
  EXPECT_EQ(none.value({Tensor({2}, {1, -2})}), 0);
}

TEST(Clipping, ByValueAndByNorm) {
  auto clipped = [](bool norm, double limit, const std::vector<Tensor> &gradients) {
    Differentiated f({{{2}}, {{1}}}, [=](TensorBuilder &b, ValueRange v) {
      SmallVector<Value> all = norm ? clipByNorm(b, {v[0], v[1]}, limit) : clipByValue(b, {v[0], v[1]}, limit);
      // 100 a0 + 10 a1 + b0
      Value digits = b.add(
          b.mul(b.make<SliceOp>(all[0], {b.ints("starts", {0}), b.ints("sizes", {1}), b.ints("steps", {1})}), 100),
          b.mul(b.make<SliceOp>(all[0], {b.ints("starts", {1}), b.ints("sizes", {1}), b.ints("steps", {1})}), 10));
      return b.sum(b.add(digits, all[1]));
    });
    return f.value(gradients);
  };
  std::vector<Tensor> gradients = {Tensor({2}, {2, -6}), Tensor({1}, {3})}; // of norm 7
  EXPECT_EQ(clipped(false, 4, gradients), 200 - 40 + 3);
  EXPECT_EQ(clipped(true, 14, gradients), 200 - 60 + 3);
  EXPECT_NEAR(clipped(true, 3.5, gradients), 100 - 30 + 1.5, 1e-12);
  EXPECT_EQ(clipped(true, 1, {Tensor({2}), Tensor({1})}), 0);
}

TEST(Compositions, LeakyReluHasItsSlopeAtZero) {
  Differentiated f({{{3}}}, [](TensorBuilder &b, ValueRange v) { return b.sum(leakyRelu(b, v[0], 0.25)); });
  EXPECT_EQ(f.value({Tensor({3}, {-4, 0, 2})}), 1);
  expectNear(f.gradients({Tensor({3}, {-4, 0, 2})})[0], Tensor({3}, {0.25, 0.25, 1}), 0);
}

TEST(Compositions, OneHotOfLabels) {
  Differentiated f({{{2, 3}, true, 0, 3, false}, {{2, 4, 3}, true}}, [](TensorBuilder &b, ValueRange v) {
    return b.sum(b.mul(oneHot(b, v[0], 4, b.builder().getF32Type()), v[1]));
  });
  // The gradient by what it is multiplied with; label 4 is no class.
  expectNear(f.gradients({Tensor({2, 3}, {0, 3, 1, 2, 4, 0}), Tensor({2, 4, 3})})[0],
             Tensor({2, 4, 3}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0}), 0);
}

TEST(Compositions, DropoutScalesWhatItKeeps) {
  Differentiated f({{{64, 64}, true}}, [](TensorBuilder &b, ValueRange v) {
    auto type = RankedTensorType::get({}, b.builder().getI64Type());
    Value one =
        ConstantOp::create(b.builder(), b.loc(), DenseElementsAttr::get(type, b.builder().getI64IntegerAttr(1)));
    return b.sum(dropout(b, v[0], 0.25, one, one));
  });
  int64_t kept = 0;
  Tensor gradients = f.gradients({Tensor({64, 64})})[0];
  for (double gradient : gradients.values) {
    EXPECT_TRUE(gradient == 0 || std::fabs(gradient - 4.0 / 3) < 1e-6) << gradient;
    kept += gradient != 0;
  }
  EXPECT_NEAR(double(kept) / 4096, 0.75, 0.03);
}

TEST(Compositions, BatchNormInTraining) {
  Formula norm = [](TensorBuilder &b, ValueRange v) {
    BatchNormTraining trained = batchNormTraining(b, v[0], v[1], v[2], v[3], v[3], 0.25, 0.125);
    return weigh(b, trained.result);
  };
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Random random(seed);
    int64_t channels = random.integer(1, 3);
    std::vector<Argument> arguments = {
        {{3, channels, 2, 2}, true}, {{channels}}, {{channels}}, {{channels}, false, -1, 1, false}};
    expectGradients(random, "batch norm in training, seed " + std::to_string(seed), arguments, norm);
  }
  // [1, 2, 3, 6] around 10^6: mean 3, variance 3.5 (4.6667 without bias), whatever the mean is.
  double shift = 1e6;
  Formula running = [](TensorBuilder &b, ValueRange v) {
    BatchNormTraining trained = batchNormTraining(b, v[0], v[1], v[1], v[1], v[1], 0.25);
    return b.sum(trained.variance);
  };
  Differentiated f({{{4, 1}, true}, {{1}}}, running);
  EXPECT_NEAR(f.value({Tensor({4, 1}, {shift + 1, shift + 2, shift + 3, shift + 6}), Tensor({1}, {1})}),
              0.75 + 0.25 * 14 / 3, 1e-6);
  // Statistics are no path for gradients.
  expectNear(f.gradients({Tensor({4, 1}, {1, 2, 3, 6}), Tensor({1}, {1})})[0], Tensor({4, 1}), 0);
}
