// The generated transcendentals against double precision: samples of all floats, neighbourhoods of the places where a
// formula changes, and special values; as vectors on every instruction set of this machine, and as scalars.
#include "codegen/cpu/Math.h"
#include "test/unit/codegen/cpu/KernelJit.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

using namespace cnn::cpu;

namespace {

struct Function {
  const char *name;
  mlir::Value (*build)(KernelBuilder &, mlir::Value);
  double (*reference)(double);
  double ulps;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
const Function kFunctions[] = {
    {"exp", buildExp, std::exp, 2},        {"log", buildLog, std::log, 2},         {"tanh", buildTanh, std::tanh, 4},
    {"sigmoid", buildSigmoid, sigmoid, 4}, {"sqrt", buildSqrt, std::sqrt, 0.5001},
};

/// Distance in units of the last place of the f32 nearest to `expected`.
double ulpsBetween(float got, double expected) {
  float nearest = static_cast<float>(expected);
  if (std::isnan(expected) || std::isinf(nearest) || std::isnan(got) || std::isinf(got)) {
    bool same = std::isnan(expected) ? std::isnan(got) : got == nearest;
    // Beyond the largest number either it or infinity will do.
    bool beyond = std::isinf(nearest) && std::abs(got) == std::numeric_limits<float>::max() && !std::isinf(expected);
    return same || beyond ? 0 : std::numeric_limits<double>::infinity();
  }
  int exponent = std::max(std::ilogb(nearest == 0 ? std::numeric_limits<float>::denorm_min() : nearest), -126);
  return std::abs(got - expected) / std::ldexp(1.0, exponent - 23);
}

std::vector<float> samples() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < uint64_t(1) << 32; bits += 4001)
    values.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  float infinity = std::numeric_limits<float>::infinity();
  for (float centre : {0.0f, 0.625f, -0.625f, 1.0f, -1.0f, 10.0f, 0.70710678f, 88.72284f, -87.33655f, -103.97208f,
                       104.0f, 89.0f, std::numeric_limits<float>::min(), std::numeric_limits<float>::denorm_min(),
                       std::numeric_limits<float>::max(), infinity, -infinity}) {
    float below = centre, above = centre;
    for (int step = 0; step < 200; ++step) {
      values.push_back(below);
      values.push_back(above);
      values.push_back(-below);
      below = std::nextafter(below, -infinity);
      above = std::nextafter(above, infinity);
    }
  }
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  // Results of exp and sigmoid away from zero and infinity.
  for (double x = -110; x < 110; x += 0.0013)
    values.push_back(static_cast<float>(x));
  values.resize((values.size() + 15) / 16 * 16, 1.0f);
  return values;
}

void checkFunctions(Isa isa, int64_t width) {
  static const std::vector<float> inputs = samples();
  KernelJit jit(isa, [&](KernelBuilder &b) {
    for (const Function &function : kFunctions)
      b.kernel(function.name, 2, [&] {
        b.forUnits([&](mlir::Value unit) {
          mlir::Value offset = b.mul(unit, 4 * width);
          mlir::Type type = width == 1 ? b.f32() : mlir::Type(mlir::VectorType::get({width}, b.f32()));
          b.store(function.build(b, b.load(type, b.offset(b.buffer(0), offset))), b.offset(b.buffer(1), offset));
        });
      });
  });
  for (const Function &function : kFunctions) {
    std::vector<float> outputs(inputs.size());
    runKernel(jit.lookup(function.name),
              {reinterpret_cast<char *>(const_cast<float *>(inputs.data())), reinterpret_cast<char *>(outputs.data())},
              {0, 0}, 1, inputs.size() / width);
    double worst = 0, at = 0;
    for (size_t i = 0; i < inputs.size(); ++i)
      if (double ulps = ulpsBetween(outputs[i], function.reference(inputs[i])); ulps > worst) {
        worst = ulps;
        at = inputs[i];
      }
    EXPECT_LE(worst, function.ulps) << function.name << "(" << at << ") on " << isaInfo(isa).name.str() << ", width "
                                    << width;
  }
}

class MathTest : public testing::TestWithParam<Isa> {};

TEST_P(MathTest, ErrorsAreWithinTheStatedBounds) {
  if (!hostSupports(GetParam()))
    GTEST_SKIP() << "this machine has no " << isaInfo(GetParam()).name.str();
  checkFunctions(GetParam(), 16);
  checkFunctions(GetParam(), 1);
}

INSTANTIATE_TEST_SUITE_P(Isas, MathTest, testing::ValuesIn(allIsas().begin(), allIsas().end()),
                         [](const auto &info) { return isaInfo(info.param).name.str(); });

} // namespace
