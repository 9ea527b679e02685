//===- TensorTest.cpp - Sizes and element types ---------------------------===//
//
// Overflow of sizes, and conversions checked over all 16-bit patterns.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Tensor.h"

#include "HostTest.h"

#include <bit>
#include <cmath>
#include <limits>

namespace cnn::host {
namespace {

TEST(TensorTest, CountsWithoutOverflow) {
  EXPECT_EQ(elementCount({}), 1);
  EXPECT_EQ(elementCount(std::vector<int64_t>{2, 3, 4}), 24);
  EXPECT_EQ(elementCount(std::vector<int64_t>{2, 0, 4}), 0);
  EXPECT_EQ(elementCount(std::vector<int64_t>{-1, 2}), std::nullopt);
  const int64_t big = int64_t(1) << 32;
  EXPECT_EQ(elementCount(std::vector<int64_t>{big, big}), std::nullopt);
  EXPECT_EQ(elementCount(std::vector<int64_t>{big, big, 0}), std::nullopt);
  EXPECT_EQ(elementCount(std::vector<int64_t>{0, big, big}), std::nullopt);
  EXPECT_EQ(byteCount(std::vector<int64_t>{big, big >> 4}, DType::F64), std::nullopt);
  EXPECT_EQ(byteCount(std::vector<int64_t>{big, big >> 5}, DType::F64), int64_t(1) << 62);
}

TEST(TensorTest, HalfRoundTripsAndRounds) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = halfToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(halfToFloat(floatToHalf(value)))) << bits;
    else
      EXPECT_EQ(floatToHalf(value), bits);
  }
  // Between neighbours: below the middle goes down, above goes up, the middle to the even one.
  for (uint32_t bits = 0; bits < 0x7C00; ++bits) {
    const float low = halfToFloat(static_cast<uint16_t>(bits));
    const float high = bits + 1 == 0x7C00 ? 65536.0f : halfToFloat(static_cast<uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;
    EXPECT_EQ(floatToHalf(std::nextafter(middle, 0.0f)), bits);
    EXPECT_EQ(floatToHalf(std::nextafter(middle, INFINITY)), bits + 1);
    EXPECT_EQ(floatToHalf(middle), bits + (bits & 1));
    EXPECT_EQ(floatToHalf(-middle), 0x8000 | (bits + (bits & 1)));
  }
  EXPECT_EQ(floatToHalf(1e30f), 0x7C00);
  EXPECT_EQ(floatToHalf(1e-30f), 0);
}

TEST(TensorTest, BfloatRoundTripsAndRounds) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = bfloatToFloat(static_cast<uint16_t>(bits));
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(bfloatToFloat(floatToBfloat(value)))) << bits;
    else
      EXPECT_EQ(floatToBfloat(value), bits);
  }
  EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(floatToBfloat(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(floatToBfloat(std::numeric_limits<float>::max()), 0x7F80);
}

TEST(TensorTest, ConvertsUnalignedBytes) {
  const uint8_t bytes[] = {0xAA, 1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF};
  const TensorView view{DType::I32, {2}, std::span(bytes).subspan(1)};
  EXPECT_EQ(view.elements(), 2);
  EXPECT_EQ(view.toFloats(), (std::vector<float>{1, -2}));
  EXPECT_EQ(view.toDoubles(), (std::vector<double>{1, -2}));
  EXPECT_EQ((TensorView{DType::U8, {3}, std::span(bytes).subspan(0, 3)}.toFloats()), (std::vector<float>{170, 1, 0}));
}

TEST(TensorTest, OwnsAlignedMemory) {
  const float values[] = {1, 2, 3, 4, 5, 6};
  Tensor tensor = Tensor::fromFloats({2, 3}, values);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.bytes.data()) % 64, 0u);
  EXPECT_EQ(tensor.elements(), 6);
  EXPECT_EQ(tensor.floats()[5], 6);
  EXPECT_EQ(tensor.view().toDoubles()[4], 5);
  EXPECT_EQ(shapeText(tensor.shape), "2x3");
  EXPECT_EQ(shapeText({}), "scalar");
  EXPECT_EQ(Tensor::zeros(DType::F16, {0, 5}).elements(), 0);
}

} // namespace
} // namespace cnn::host
