// Error bounds hold for straightforward f32 arithmetic, and catch one wrong term.
#include "Support.h"

#include "ir/Winograd.h"
#include "ir/reference/Bounds.h"

using namespace cnn;
using namespace cnn::reference;
using namespace cnn::test;

/// The text of a group of a convolution with bias, residual add and tanh.
static std::string convolutionGroup(int64_t n, int64_t c, int64_t h, int64_t o, int64_t k) {
  auto type = [](std::initializer_list<int64_t> shape) {
    std::string text = "tensor<";
    for (int64_t extent : shape)
      text += std::to_string(extent) + "x";
    return text + "f32>";
  };
  std::string x = type({n, c, h, h}), w = type({o, c, k, k}), b = type({o}), y = type({n, o, h - k + 1, h - k + 1});
  return "func.func @f(%x: " + x + ", %w: " + w + ", %b: " + b + ", %r: " + y + ") -> " + y +
         " {\n %0 = cnn.group \"g\" kind \"conv2d\" (%p = %x : " + x + ", %q = %w : " + w + ", %s = %b : " + b +
         ", %t = %r : " + y + ") -> " + y + " {\n  %1 = cnn.conv2d %p, %q bias %s : " + x + ", " + w + ", " + b +
         " -> " + y + "\n  %2 = cnn.add %1, %t : " + y + ", " + y + " -> " + y + "\n  %3 = cnn.tanh %2 : " + y +
         " -> " + y + "\n  cnn.yield %3 : " + y + "\n }\n return %0 : " + y + "\n}";
}

/// The same in f32, each operation rounded, sums in one chain; `forget` leaves out the last term of each sum.
static Tensor inFloat(const Tensor &x, const Tensor &w, const Tensor &b, const Tensor &r, bool forget) {
  Tensor y(r.shape);
  int64_t channels = w.shape[1], k = w.shape[2], h = x.shape[2];
  for (int64_t i = 0; i < y.elements(); ++i) {
    int64_t column = i % y.shape[3], row = i / y.shape[3] % y.shape[2], o = i / y.shape[3] / y.shape[2] % y.shape[1];
    int64_t n = i / y.shape[3] / y.shape[2] / y.shape[1], terms = channels * k * k - forget;
    float sum = float(b.values[o]);
    for (int64_t term = 0; term < terms; ++term) {
      int64_t c = term / k / k, from = ((n * channels + c) * h + row + term / k % k) * h + column + term % k;
      sum += float(w.values[o * channels * k * k + term]) * float(x.values[from]);
    }
    y.values[i] = std::tanh(sum + float(r.values[i]));
  }
  return y;
}

TEST(Bounds, HoldForAConvolutionWithEpilogueAndCatchAMissingTerm) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    test::Random random(seed);
    int64_t n = random.integer(1, 2), c = random.integer(1, 128), h = random.integer(4, 7), o = random.integer(1, 4);
    int64_t k = random.integer(1, 3);
    Tensor x = random.tensor({n, c, h, h}), w = random.tensor({o, c, k, k}, -0.1, 0.1), b = random.tensor({o});
    Tensor r = random.tensor({n, o, h - k + 1, h - k + 1});
    Ir ir(convolutionGroup(n, c, h, o, k));
    ASSERT_TRUE(ir.module) << ir.messages;
    auto bounded = evaluateWithBounds(ir.first<GroupOp>(), test::share({x, w, b, r}));
    ASSERT_TRUE(succeeded(bounded)) << ir.messages;
    Difference right = compare(inFloat(x, w, b, r, false), (*bounded)[0]);
    EXPECT_TRUE(right.passed) << "seed " << seed << ": " << right.maxOfBound << " of the bound, " << c << " channels";
    EXPECT_LT(right.maxAbsolute, 1e-5);
    Difference wrong = compare(inFloat(x, w, b, r, true), (*bounded)[0]);
    EXPECT_FALSE(wrong.passed) << "seed " << seed;
    EXPECT_GT(wrong.maxOfBound, 10) << "seed " << seed;
  }
}

/// Winograd in f32: transforms and sums rounded at each step.
static Tensor winogradInFloat(const Tensor &x, const Tensor &u, const Shape &shape, int64_t padding) {
  using namespace winograd;
  Tensor result(shape);
  int64_t channels = x.shape[1], h = x.shape[2], w = x.shape[3], outputs = shape[1];
  for (int64_t row = 0; row < shape[2]; row += kOutput)
    for (int64_t column = 0; column < shape[3]; column += kOutput)
      for (int64_t o = 0; o < outputs; ++o) {
        float sums[kTile][kTile] = {};
        for (int64_t c = 0; c < channels; ++c) {
          float d[kTile][kTile], half[kTile][kTile] = {};
          for (int i = 0; i < kTile; ++i)
            for (int j = 0; j < kTile; ++j) {
              int64_t y = row - padding + i, z = column - padding + j;
              d[i][j] = y >= 0 && y < h && z >= 0 && z < w ? float(x.values[(c * h + y) * w + z]) : 0;
            }
          for (int p = 0; p < kTile; ++p)
            for (int j = 0; j < kTile; ++j)
              for (int i = 0; i < kTile; ++i)
                half[p][j] += float(Bt[p][i]) * d[i][j];
          for (int p = 0; p < kTile; ++p)
            for (int q = 0; q < kTile; ++q) {
              float v = 0;
              for (int j = 0; j < kTile; ++j)
                v += half[p][j] * float(Bt[q][j]);
              sums[p][q] += v * float(u.values[((p * kTile + q) * outputs + o) * channels + c]);
            }
        }
        for (int64_t i = 0; i < std::min<int64_t>(kOutput, shape[2] - row); ++i)
          for (int64_t j = 0; j < std::min<int64_t>(kOutput, shape[3] - column); ++j) {
            float y = 0;
            for (int p = 0; p < kTile; ++p) {
              float half = 0;
              for (int q = 0; q < kTile; ++q)
                half += sums[p][q] * float(A[q][j]);
              y += half * float(A[p][i]);
            }
            result.values[(o * shape[2] + row + i) * shape[3] + column + j] = y;
          }
      }
  return result;
}

TEST(Bounds, HoldForWinogradAndCatchAWrongTap) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    test::Random random(seed);
    int64_t c = random.integer(1, 64), o = 3, h = random.integer(4, 10);
    Tensor x = random.tensor({1, c, h, h}, 0, 1);
    Tensor u = apply("winograd_weights", "", {random.tensor({o, c, 3, 3}, -0.1, 0.1)}, {6, 6, o, c});
    for (double &value : u.values)
      value = float(value);
    auto text = [&](const std::string &extents) { return "tensor<" + extents + "xf32>"; };
    std::string hw = std::to_string(h) + "x" + std::to_string(h), xType = text("1x" + std::to_string(c) + "x" + hw);
    std::string uType = text("6x6x3x" + std::to_string(c)), yType = text("1x3x" + hw);
    Ir ir("func.func @f(%x: " + xType + ", %u: " + uType + ") -> " + yType +
          " {\n %0 = cnn.winograd_conv2d %x, %u {padding = array<i64: 1, 1, 1, 1>} : " + xType + ", " + uType + " -> " +
          yType + "\n return %0 : " + yType + "\n}");
    ASSERT_TRUE(ir.module) << ir.messages;
    auto bounded = evaluateWithBounds(ir.first<WinogradConv2dOp>(), test::share({x, u}));
    ASSERT_TRUE(succeeded(bounded)) << ir.messages;
    Difference right = compare(winogradInFloat(x, u, {1, o, h, h}, 1), (*bounded)[0]);
    EXPECT_TRUE(right.passed) << "seed " << seed << ": " << right.maxOfBound << " of the bound";
    Tensor damaged = u;
    damaged.values[o * c + c - 1] += 0.05;
    EXPECT_FALSE(compare(winogradInFloat(x, damaged, {1, o, h, h}, 1), (*bounded)[0]).passed) << "seed " << seed;
  }
}

TEST(Bounds, PropagateThroughEveryOperation) {
  // Each operation follows a division, whose result f32 rounds; the same chain in f32 stays within the bounds.
  struct Case {
    const char *op, *attributes;
    std::function<float(float)> inFloat;
  };
  const Case cases[] = {
      {"relu", "", [](float x) { return std::max(x, 0.0f); }},
      {"clamp", "{min = -0.5 : f64, max = 0.5 : f64}", [](float x) { return std::clamp(x, -0.5f, 0.5f); }},
      {"tanh", "", [](float x) { return std::tanh(x); }},
      {"sigmoid", "", [](float x) { return 1 / (1 + std::exp(-x)); }},
      {"exp", "", [](float x) { return std::exp(x); }},
      {"abs", "", [](float x) { return std::fabs(x); }},
      {"neg", "", [](float x) { return -x; }},
      {"softplus", "", [](float x) { return std::max(x, 0.0f) + std::log(1 + std::exp(-std::fabs(x))); }},
      {"elu", "{alpha = 0.5 : f64}", [](float x) { return x > 0 ? x : 0.5f * (std::exp(x) - 1); }},
      {"stop_gradient", "", [](float x) { return x; }},
  };
  test::Random random(3);
  Tensor x = random.tensor({1000}, -8, 8), y = random.tensor({1000}, 1, 3);
  for (const Case &each : cases) {
    std::string type = "tensor<1000xf32>";
    Ir ir("func.func @f(%x: " + type + ", %y: " + type + ") -> " + type +
          " {\n %0 = cnn.group \"g\" kind \"elementwise\" (%a = %x : " + type + ", %b = %y : " + type + ") -> " + type +
          " {\n  %1 = cnn.div %a, %b : " + type + ", " + type + " -> " + type + "\n  %2 = cnn." + each.op + " %1 " +
          each.attributes + " : " + type + " -> " + type + "\n  cnn.yield %2 : " + type + "\n }\n return %0 : " + type +
          "\n}");
    ASSERT_TRUE(ir.module) << ir.messages;
    auto bounded = evaluateWithBounds(ir.first<GroupOp>(), test::share({x, y}));
    ASSERT_TRUE(succeeded(bounded)) << ir.messages;
    Tensor computed({1000});
    for (int i = 0; i < 1000; ++i)
      computed.values[i] = each.inFloat(float(x.values[i]) / float(y.values[i]));
    Difference difference = compare(computed, (*bounded)[0]);
    EXPECT_TRUE(difference.passed) << each.op << ": " << difference.maxOfBound << " of the bound";
    EXPECT_GT(difference.maxOfBound, 0) << each.op;
    computed.values[17] += 1e-4 * (std::fabs(computed.values[17]) + 1);
    EXPECT_FALSE(compare(computed, (*bounded)[0]).passed) << each.op;
  }
}

TEST(Bounds, MovedElementsMustBeEqual) {
  Ir ir(R"(func.func @f(%x: tensor<?x1x2x2xf32>) -> tensor<?x1x1x1xf32> {
    %0 = cnn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} : tensor<?x1x2x2xf32> -> tensor<?x1x1x1xf32>
    return %0 : tensor<?x1x1x1xf32>
  })");
  ASSERT_TRUE(ir.module) << ir.messages;
  auto bounded = evaluateWithBounds(ir.first<MaxPoolOp>(), test::share({Tensor({1, 1, 2, 2}, {1, 2, 3, 4})}));
  ASSERT_TRUE(succeeded(bounded)) << ir.messages;
  EXPECT_TRUE(compare(Tensor({1, 1, 1, 1}, {4}), (*bounded)[0]).passed);
  EXPECT_FALSE(compare(Tensor({1, 1, 1, 1}, {4 + 0x1p-21}), (*bounded)[0]).passed);
}

TEST(Bounds, InfAndNanMustBeMet) {
  Ir ir(R"(func.func @f(%x: tensor<3xf32>) -> tensor<3xf32> {
    %0 = cnn.exp %x : tensor<3xf32> -> tensor<3xf32>
    return %0 : tensor<3xf32>
  })");
  ASSERT_TRUE(ir.module) << ir.messages;
  double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  auto bounded = evaluateWithBounds(ir.first<ExpOp>(), test::share({Tensor({3}, {nan, infinity, 100})}));
  ASSERT_TRUE(succeeded(bounded)) << ir.messages;
  // e^100 is beyond f32.
  EXPECT_TRUE(compare(Tensor({3}, {nan, infinity, infinity}), (*bounded)[0]).passed);
  Difference wrong = compare(Tensor({3}, {nan, 3e38, infinity}), (*bounded)[0]);
  EXPECT_FALSE(wrong.passed);
  EXPECT_EQ(wrong.worst, 1);
  EXPECT_FALSE(compare(Tensor({3}, {1, infinity, infinity}), (*bounded)[0]).passed);
}
