// Arithmetic that LLVM's NVPTX target offers as intrinsics. The approximations of the device are computed exactly and
// rounded: kernels may rely on no more than their documented error anyway.
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/StringSwitch.h"

#include <bit>
#include <cmath>

namespace cnn::cuda::emulator {

namespace {
using Unary = double (*)(double);
using Binary = float (*)(float, float);

float floatOf(uint64_t word) { return std::bit_cast<float>(static_cast<uint32_t>(word)); }
uint64_t wordOf(float value) { return std::bit_cast<uint32_t>(value); }

template <Unary F> void unary(Thread &, const Site &, const uint64_t *arguments, uint64_t *results) {
  results[0] = wordOf(static_cast<float>(F(floatOf(arguments[0]))));
}
template <Binary F> void binary(Thread &, const Site &, const uint64_t *arguments, uint64_t *results) {
  results[0] = wordOf(F(floatOf(arguments[0]), floatOf(arguments[1])));
}

double reciprocal(double x) { return 1 / x; }
double reciprocalRoot(double x) { return 1 / std::sqrt(x); }
double saturate(double x) { return x > 0 ? std::fmin(x, 1) : 0; }
double powerOfTwo(double x) { return std::exp2(x); }
double logarithm(double x) { return std::log2(x); }
double root(double x) { return std::sqrt(x); }
double sine(double x) { return std::sin(x); }
double cosine(double x) { return std::cos(x); }
double tangent(double x) { return std::tanh(x); }
double magnitude(double x) { return std::fabs(x); }
float larger(float a, float b) { return std::fmax(a, b); }
float smaller(float a, float b) { return std::fmin(a, b); }
float largerOrNan(float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmax(a, b); }
float smallerOrNan(float a, float b) { return std::isnan(a) || std::isnan(b) ? NAN : std::fmin(a, b); }
float quotient(float a, float b) { return a / b; }
float sum(float a, float b) { return a + b; }
float product(float a, float b) { return a * b; }

void multiplyAdd(Thread &, const Site &, const uint64_t *arguments, uint64_t *results) {
  results[0] = wordOf(std::fma(floatOf(arguments[0]), floatOf(arguments[1]), floatOf(arguments[2])));
}

/// To the nearest value with 10 bits of mantissa; variant: ties to even, or away from zero.
void toTf32(Thread &, const Site &site, const uint64_t *arguments, uint64_t *results) {
  const auto bits = static_cast<uint32_t>(arguments[0]);
  if (std::isnan(floatOf(bits))) {
    results[0] = 0x7fffffff;
    return;
  }
  const uint32_t half = site.operation.variant[0] ? 0xfff + (bits >> 13 & 1) : 0x1000;
  results[0] = std::isinf(floatOf(bits)) ? bits : (bits + half) & 0xffffe000u;
}

uint16_t toBf16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  return std::isnan(value) ? 0x7fff : static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
uint16_t toF16(float value) { return std::bit_cast<uint16_t>(static_cast<_Float16>(value)); }

/// One f32, or two of which the first becomes the high half.
template <uint16_t (*F)(float), bool TWO>
void toHalf(Thread &, const Site &, const uint64_t *arguments, uint64_t *results) {
  results[0] = TWO ? uint32_t(F(floatOf(arguments[0]))) << 16 | F(floatOf(arguments[1])) : F(floatOf(arguments[0]));
}

void isInShared(Thread &thread, const Site &, const uint64_t *arguments, uint64_t *results) {
  results[0] = thread.block->isShared(arguments[0]);
}
} // namespace

std::optional<Operation> findMathOperation(llvm::StringRef name) {
  if (!name.consume_front("llvm.nvvm."))
    return std::nullopt;
  Operation found = llvm::StringSwitch<Operation>(name)
                        .Case("f2tf32.rna", {toTf32, {0}})
                        .Case("f2tf32.rn", {toTf32, {1}})
                        .Case("f2bf16.rn", {toHalf<toBf16, false>})
                        .Case("ff2bf16x2.rn", {toHalf<toBf16, true>})
                        .Case("ff2f16x2.rn", {toHalf<toF16, true>})
                        .Case("isspacep.shared", {isInShared})
                        .Default({});
  if (found.handler)
    return found;
  // What flushes denormals may also not do so: a kernel cannot rely on it being exact.
  std::string plain = name.str();
  if (size_t at = plain.find(".ftz"); at != std::string::npos)
    plain.erase(at, 4);
  found.handler = llvm::StringSwitch<Handler>(plain)
                      .Cases({"rcp.approx.f", "rcp.rn.f"}, unary<reciprocal>)
                      .Case("rsqrt.approx.f", unary<reciprocalRoot>)
                      .Cases({"sqrt.approx.f", "sqrt.rn.f", "sqrt.f"}, unary<root>)
                      .Cases({"ex2.approx.f", "ex2.approx"}, unary<powerOfTwo>)
                      .Cases({"lg2.approx.f", "lg2.approx"}, unary<logarithm>)
                      .Case("sin.approx.f", unary<sine>)
                      .Case("cos.approx.f", unary<cosine>)
                      .Cases({"tanh.approx.f", "tanh.approx"}, unary<tangent>)
                      .Case("saturate.f", unary<saturate>)
                      .Cases({"fabs.f", "fabs"}, unary<magnitude>)
                      .Case("fmax.f", binary<larger>)
                      .Case("fmin.f", binary<smaller>)
                      .Case("fmax.nan.f", binary<largerOrNan>)
                      .Case("fmin.nan.f", binary<smallerOrNan>)
                      .Cases({"div.approx.f", "div.full", "div.rn.f"}, binary<quotient>)
                      .Case("add.rn.f", binary<sum>)
                      .Case("mul.rn.f", binary<product>)
                      .Case("fma.rn.f", multiplyAdd)
                      .Default(nullptr);
  return found.handler ? std::optional(found) : std::nullopt;
}

} // namespace cnn::cuda::emulator
