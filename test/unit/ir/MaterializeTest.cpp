// Layouts, rounding, and the streaming evaluation of @prepare.
#include "Support.h"

#include "ir/reference/Materialize.h"
#include "ir/reference/Prepare.h"

#include "mlir/IR/Builders.h"

#include <cstring>

using namespace cnn;
using namespace cnn::reference;
using namespace cnn::test;
using namespace mlir;

namespace {
struct Fixture : testing::Test {
  Fixture() { context.loadDialect<CnnDialect>(); }
  RankedTensorType type(ArrayRef<int64_t> shape, LayoutAttr layout = {}) {
    return RankedTensorType::get(shape, Float32Type::get(&context), layout);
  }
  static std::vector<float> floats(ArrayRef<char> bytes) {
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  MLIRContext context;
};
using Materialize = Fixture;
using Prepare = Fixture;
} // namespace

TEST_F(Materialize, ChannelBlocksWithPaddedLanesZero) {
  // [1, 3, 1, 2] in blocks of two channels: [1][2][1][2][2].
  auto blocked = type({1, 3, 1, 2}, LayoutAttr::channelBlocked(&context, 4, 2));
  Tensor tensor({1, 3, 1, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(floats(materialize(blocked, tensor)), (std::vector<float>{1, 3, 2, 4, 5, 0, 6, 0}));
}

TEST_F(Materialize, WeightsInTilesOfBothChannels) {
  // [3, 2, 1, 1] with inner [1 : 2, 0 : 2]: [2][1][1][1][2 c][2 k].
  auto packed = type({3, 2, 1, 1}, LayoutAttr::tiled(&context, 4, {1, 0}, {2, 2}));
  EXPECT_EQ(floats(materialize(packed, Tensor({3, 2, 1, 1}, {1, 2, 3, 4, 5, 6}))),
            (std::vector<float>{1, 3, 2, 4, 5, 0, 6, 0}));
}

TEST_F(Materialize, RoundTripsAndAgreesWithForEachStored) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    cnn::test::Random random(seed);
    int64_t rank = random.integer(0, 5);
    SmallVector<int64_t> shape, outer, dims, sizes;
    for (int64_t dim = 0; dim < rank; ++dim) {
      shape.push_back(random.integer(1, 5));
      outer.insert(outer.begin() + random.integer(0, dim), dim);
      if (random.integer(0, 1)) {
        size_t place = random.integer(0, dims.size());
        dims.insert(dims.begin() + place, dim);
        sizes.insert(sizes.begin() + place, random.integer(1, 4));
      }
    }
    auto stored = type(shape, random.integer(0, 3) ? LayoutAttr::get(&context, outer, dims, sizes) : LayoutAttr());
    std::string what;
    llvm::raw_string_ostream(what) << "seed " << seed << ": " << stored;
    Tensor tensor = random.tensor(Shape(ArrayRef<int64_t>(shape)));
    std::vector<float> values = floats(materialize(stored, tensor));
    ASSERT_EQ(int64_t(values.size()), storedElements(stored, /*whole=*/true)) << what;
    int64_t next = 0;
    forEachStored(stored, [&](int64_t at, int64_t logical) {
      EXPECT_EQ(at, next++) << what;
      EXPECT_EQ(values[at], logical < 0 ? 0.0f : float(tensor.values[logical])) << what;
    });
    // Padded lanes are not looked at.
    forEachStored(stored, [&](int64_t at, int64_t logical) { values[at] = logical < 0 ? NAN : values[at]; });
    expectNear(
        load(stored, shape, ArrayRef(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float))),
        tensor, 0, what);
    if (HasFailure())
      return;
  }
}

TEST_F(Materialize, RoundsOnceToEveryElementType) {
  auto bytesOf = [&](Type element, double value) {
    return materialize(RankedTensorType::get({}, element), Tensor(Shape{}, {value}));
  };
  Builder builder(&context);
  auto bits = [&](Type element, double value) {
    std::vector<char> bytes = bytesOf(element, value);
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), bytes.size());
    EXPECT_EQ(load(RankedTensorType::get({}, element), {}, bytes).values[0], roundTo(element, value)) << value;
    return word;
  };
  EXPECT_EQ(bits(builder.getF32Type(), 1 + 0x1p-24), 0x3f800000u) << "ties go to even";
  EXPECT_EQ(bits(builder.getF32Type(), 1 + 0x1.8p-24), 0x3f800001u);
  EXPECT_EQ(bits(builder.getBF16Type(), 1 + 0x1p-8 + 0x1p-40), 0x3f81u) << "rounded twice, through f32, it would be 1";
  EXPECT_EQ(bits(builder.getF16Type(), -2), 0xc000u);
  EXPECT_EQ(bits(builder.getF64Type(), 0.1), 0x3fb999999999999aull);
  EXPECT_EQ(bits(builder.getIntegerType(8, false), 254.5), 254u);
  EXPECT_EQ(bits(builder.getI32Type(), -1e12), 0x80000000u);
  EXPECT_EQ(bits(builder.getI1Type(), 1), 1u);
  std::vector<char> largest = bytesOf(builder.getI64Type(), 1e30);
  int64_t saturated;
  std::memcpy(&saturated, largest.data(), sizeof saturated);
  EXPECT_EQ(saturated, INT64_MAX);
}

static const char *prepare = R"(module {
  cnn.param @w : tensor<3x2x1x1xf32>
  cnn.param @s : tensor<3xf32>
  cnn.param @unused : tensor<3xf32>
  cnn.statistic @v : tensor<3xf32>
  func.func @prepare(%w: tensor<3x2x1x1xf32> {cnn.state = @w}, %s: tensor<3xf32> {cnn.state = @s},
                     %v: tensor<3xf32> {cnn.state = @v}, %x: tensor<3xf32> {cnn.state = @unused})
      -> (tensor<3xf32> {cnn.packed = 1}, tensor<3x2x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 4]>> {cnn.packed = 0}) {
    %dead = cnn.neg %x : tensor<3xf32> -> tensor<3xf32>
    %0 = cnn.sqrt %v : tensor<3xf32> -> tensor<3xf32>
    %1 = cnn.div %s, %0 : tensor<3xf32>, tensor<3xf32> -> tensor<3xf32>
    %2 = cnn.broadcast %1 {dims = array<i64: 0>, shape = array<i64: 3, 2, 1, 1>} : tensor<3xf32> -> tensor<3x2x1x1xf32>
    %3 = cnn.mul %w, %2 : tensor<3x2x1x1xf32>, tensor<3x2x1x1xf32> -> tensor<3x2x1x1xf32>
    %4 = cnn.relayout %3 : tensor<3x2x1x1xf32> -> tensor<3x2x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 4]>>
    return %1, %4 : tensor<3xf32>, tensor<3x2x1x1xf32, #cnn.layout<outer = [0, 1, 2, 3], inner = [0 : 4]>>
  }
})";

TEST_F(Prepare, StreamsPackedValuesInOrder) {
  Ir ir(prepare);
  ASSERT_TRUE(ir.module) << ir.messages;
  std::vector<std::string> events;
  std::vector<std::vector<float>> packed;
  auto source = [&](StringRef name, RankedTensorType type) -> FailureOr<Tensor> {
    events.push_back("read " + name.str());
    if (name == "w")
      return Tensor({3, 2, 1, 1}, {1, 2, 3, 4, 5, 6});
    return name == "s" ? Tensor({3}, {1, 1, 3}) : Tensor({3}, {4, 1, 9});
  };
  auto sink = [&](int64_t index, ArrayRef<char> bytes) {
    events.push_back("packed " + std::to_string(index));
    packed.push_back(floats(bytes));
    return success();
  };
  ASSERT_TRUE(succeeded(evaluatePrepare(ir.function("prepare"), source, sink))) << ir.messages;
  EXPECT_EQ(events, (std::vector<std::string>{"read v", "read s", "read w", "packed 0", "packed 1"}));
  EXPECT_EQ(packed[0], (std::vector<float>{0.5, 3, 5, 0, 1, 4, 6, 0}));
  EXPECT_EQ(packed[1], (std::vector<float>{0.5, 1, 1}));
}

TEST_F(Prepare, RefusesStateOfTheWrongShape) {
  Ir ir(prepare);
  ASSERT_TRUE(ir.module) << ir.messages;
  auto source = [](StringRef, RankedTensorType) -> FailureOr<Tensor> { return Tensor({4}); };
  auto sink = [](int64_t, ArrayRef<char>) { return success(); };
  EXPECT_TRUE(failed(evaluatePrepare(ir.function("prepare"), source, sink)));
  EXPECT_EQ(ir.messages, "the value of @v has not the shape of 'tensor<3xf32>'\n");
}

TEST(Evaluate, ReportsWhatDoesNotFit) {
  auto message = [](const char *text, std::vector<Tensor> arguments) {
    Ir ir(text);
    if (!ir.module)
      return ir.messages;
    EXPECT_TRUE(failed(evaluate(ir.function(), cnn::test::share(std::move(arguments)))));
    return ir.messages;
  };
  const char *two = "func.func @f(%x: tensor<?x2xf32>, %y: tensor<?xf32>) { return }";
  EXPECT_EQ(message(two, {Tensor({1, 2})}), "2 tensors are needed, 1 are given\n");
  EXPECT_EQ(message(two, {Tensor({1, 3}), Tensor({1})}), "value 0 is 1x3, its type 'tensor<?x2xf32>'\n");
  EXPECT_EQ(message(two, {Tensor({3, 2}), Tensor({4})}), "value 1 has a batch of 4 beside one of 3\n");
  EXPECT_EQ(message("func.func private @f()", {}), "'f' needs a body of one block to be evaluated\n");
  EXPECT_EQ(message("func.func @f() { func.call @g() : () -> () return }\nfunc.func private @g()", {}),
            "the reference implementation has no meaning for 'func.call'\n");
  EXPECT_EQ(message("func.func @f() { %0 = cnn.constant dense<9007199254740993> : tensor<i64> return }", {}),
            "'cnn.constant' op holds an integer beyond 2^53, which the reference does not represent\n");
}

TEST(Evaluate, GroupsMeanTheirBodiesAndTheHookSeesEachOperation) {
  Ir ir(R"(func.func @f(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
    %0 = cnn.group "g" kind "elementwise" (%a = %x : tensor<?x2xf32>) -> tensor<?x2xf32> {
      %1 = cnn.neg %a : tensor<?x2xf32> -> tensor<?x2xf32>
      %2 = cnn.relu %1 : tensor<?x2xf32> -> tensor<?x2xf32>
      cnn.yield %2 : tensor<?x2xf32>
    }
    return %0 : tensor<?x2xf32>
  })");
  ASSERT_TRUE(ir.module) << ir.messages;
  std::vector<std::string> seen;
  EvaluateOptions options;
  options.after = [&](Operation *op, ArrayRef<TensorRef> results) {
    seen.push_back(op->getName().getStringRef().str() + " " + std::to_string(int(results[0]->values[0])));
    return success();
  };
  auto results = evaluate(ir.function(), {reference::share(Tensor({1, 2}, {-3, 3}))}, options);
  ASSERT_TRUE(succeeded(results));
  expectNear(*(*results)[0], Tensor({1, 2}, {3, 0}), 0);
  EXPECT_EQ(seen, (std::vector<std::string>{"cnn.neg 3", "cnn.relu 3", "cnn.group 3"}));
  options.after = [](Operation *, ArrayRef<TensorRef>) { return failure(); };
  EXPECT_TRUE(failed(evaluate(ir.function(), {reference::share(Tensor({1, 2}))}, options)));
}
