// `verify` finds kernels, plans and packed weights that are wrong, and says where: each case damages a program between
// compilation and comparison.
#include "test/unit/tools/Networks.h"

#include "codegen/cpu/Lower.h"
#include "runtime/host/Json.h"
#include "tools/cnnc/Verification.h"

#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Verifier.h"

#include <cmath>
#include <functional>

using namespace mlir;

namespace cnn::test {
namespace {

using ::testing::Test;

constexpr const char *kText = R"(
network n(x: f32[N, 5, 8, 8]) -> f32[N, 7, 6, 6] {
  a = x -> first: conv(12, kernel = 3, pad = 1) -> leaky_relu(slope = 0.125)
  b = a -> second: conv(12, kernel = 1) -> tanh
  c = b -> pool: max_pool(3, stride = 1, pad = 1)
  (c - a) -> third: conv(7, kernel = 3)
}
)";

size_t indexOf(const Program &program, StringRef path) {
  for (size_t i = 0; i < program.groups.size(); ++i)
    if (program.groups[i].path == path)
      return i;
  llvm::report_fatal_error("there is no group " + path);
}

/// The kernel of a group's last step.
llvm::Function *kernelOf(Program &program, size_t group) {
  for (const Step &step : llvm::reverse(program.steps))
    if (step.group == static_cast<int64_t>(group))
      return program.variants.front().module->getFunction(step.kernels.front().symbol);
  return nullptr;
}

/// Makes the kernel of `path` add `delta` to the first element of the group's result.
void disturb(Program &program, StringRef path, float delta) {
  size_t group = indexOf(program, path);
  const Operand &result = program.groups[group].results.front();
  const Step *last = nullptr;
  for (const Step &step : program.steps)
    if (step.group == static_cast<int64_t>(group))
      last = &step;
  unsigned index = 0;
  while (last->operands[index].segment != result.segment || last->operands[index].offset != result.offset ||
         last->operands[index].slice != result.slice)
    ++index;

  llvm::Function *kernel = kernelOf(program, group);
  llvm::LLVMContext &context = kernel->getContext();
  llvm::SmallVector<llvm::ReturnInst *> ends;
  for (llvm::Instruction &instruction : llvm::instructions(kernel))
    if (auto *end = llvm::dyn_cast<llvm::ReturnInst>(&instruction))
      ends.push_back(end);
  for (llvm::ReturnInst *end : ends) {
    llvm::IRBuilder<> builder(end);
    llvm::Type *pointer = builder.getPtrTy(), *f32 = builder.getFloatTy();
    llvm::Value *place =
        builder.CreateLoad(pointer, builder.CreateConstGEP1_64(pointer, kernel->getArg(0), index), "result");
    // Units may be computed by several calls.
    llvm::Value *isFirst = builder.CreateICmpEQ(kernel->getArg(3), builder.getInt64(0));
    llvm::Value *zero = llvm::ConstantFP::get(context, llvm::APFloat(0.0f));
    llvm::Value *change = builder.CreateSelect(isFirst, llvm::ConstantFP::get(context, llvm::APFloat(delta)), zero);
    builder.CreateStore(builder.CreateFAdd(builder.CreateLoad(f32, place), change), place);
  }
  ASSERT_FALSE(llvm::verifyFunction(*kernel, &llvm::errs()));
}

/// Lays the result of group `path` over that of group `over`, for the kernels that write it and those that read it;
/// what shares its place at another time stays.
void overlap(Program &program, StringRef path, StringRef over) {
  const size_t writer = indexOf(program, path);
  const Operand from = program.groups[writer].results.front(), to = program.groups[indexOf(program, over)].results[0];
  ASSERT_EQ(from.segment, to.segment);
  ASSERT_NE(from.offset, to.offset) << "the plan lays them over each other already";
  auto lies = [&](const Operand &operand) { return operand.segment == from.segment && operand.offset == from.offset; };
  size_t end = writer + 1;
  while (end < program.groups.size() && llvm::none_of(program.groups[end].results, lies))
    ++end;
  auto move = [&](std::vector<Operand> &operands) {
    for (Operand &operand : operands)
      if (lies(operand))
        operand.offset = to.offset;
  };
  for (size_t group = writer; group < end; ++group) {
    move(program.groups[group].operands);
    move(program.groups[group].results);
  }
  for (Step &step : program.steps)
    if (step.group >= static_cast<int64_t>(writer) && step.group < static_cast<int64_t>(end))
      move(step.operands);
}

struct VerificationTest : Test {
  using Damage = std::function<void(Compiled &)>;

  /// Verifies `network` after `damage` to the shipped program, and, unless `keptIsRight`, to the one that keeps
  /// buffers.
  VerifyReport verify(Network &network, const Damage &damage, bool keptIsRight = false) {
    auto shipped = compile(*network.module, network.weights.get(), network.options);
    CompileOptions keepOptions = network.options;
    keepOptions.keepBuffers = true;
    auto kept = compile(*network.module, network.weights.get(), keepOptions);
    damage(**shipped);
    if (!keptIsRight)
      damage(**kept);
    auto report = verifyCompiled(
        **shipped, **kept,
        {*network.weights, network.outputs, network.inputs, network.expected(), network.batch, /*threads=*/1});
    if (!report) {
      ADD_FAILURE() << report.error().message;
      return {};
    }
    report->network = "n";
    return *report;
  }

  /// What `verify` prints as JSON, with its exit code.
  host::JsonValue json(const VerifyReport &report, int &code) {
    std::string text;
    llvm::raw_string_ostream stream(text);
    code = printReport(report, /*json=*/true, stream);
    return *host::parseJson(text);
  }
};

/// The groups that are beyond their bound.
std::vector<std::string> failedGroups(const VerifyReport &report) {
  std::vector<std::string> paths;
  for (const GroupResult &group : report.groups)
    if (!group.difference.passed)
      paths.push_back(group.path);
  return paths;
}

bool mentions(const VerifyReport &report, StringRef text) {
  return llvm::any_of(report.failures, [&](StringRef failure) { return failure.contains(text); });
}

using Paths = std::vector<std::string>;

TEST_F(VerificationTest, ARightNetworkPasses) {
  Network network(kText, 2);
  VerifyReport report = verify(network, [](Compiled &) {});
  EXPECT_TRUE(report.passed()) << report.failures.front();
  EXPECT_GT(report.maxOfBound, 0);
  EXPECT_LE(report.maxOfBound, 1);
  int code = -1;
  host::JsonValue object = json(report, code);
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(object.find("passed")->boolean);
  EXPECT_EQ(object.find("failures")->items.size(), 0u);
}

TEST_F(VerificationTest, AWrongKernelFailsAndItsGroupIsNamed) {
  Network network(kText, 2);
  for (const char *path : {"first", "second", "pool", "third"}) {
    VerifyReport report = verify(network, [&](Compiled &compiled) { disturb(compiled.program, path, 0.03125f); });
    EXPECT_EQ(failedGroups(report), Paths{path});
    EXPECT_EQ(report.worst, path);
    EXPECT_NEAR(report.maxAbsolute, 0.03125, 1e-5);
    EXPECT_GT(report.maxOfBound, 100);
    EXPECT_TRUE(mentions(report, std::string("'") + path + "' exceeds its bound: element 0 is "));

    int code = -1;
    host::JsonValue object = json(report, code);
    EXPECT_EQ(code, 1);
    EXPECT_FALSE(object.find("passed")->boolean);
    EXPECT_EQ(object.find("worst")->string, path);
    EXPECT_EQ(object.find("max_abs")->real, report.maxAbsolute);
    EXPECT_EQ(object.find("of_bound")->real, report.maxOfBound);

    std::string table;
    llvm::raw_string_ostream stream(table);
    EXPECT_EQ(printReport(report, /*json=*/false, stream), 1);
    EXPECT_NE(table.find("FAILED"), std::string::npos);
    EXPECT_NE(table.find("\nfailed: '"), std::string::npos);
    EXPECT_EQ(table.find("passed"), std::string::npos);
  }
}

TEST_F(VerificationTest, TheWorstOfSeveralIsTheFurthestBeyondItsBound) {
  Network network(kText);
  VerifyReport report = verify(network, [](Compiled &compiled) {
    disturb(compiled.program, "first", 0.5f);
    disturb(compiled.program, "third", 0.001f);
  });
  EXPECT_EQ(failedGroups(report), (Paths{"first", "third"}));
  EXPECT_EQ(report.worst, "first");
}

TEST_F(VerificationTest, NaNFailsAndNoFigureLooksRight) {
  Network network(kText);
  VerifyReport report = verify(network, [](Compiled &compiled) { disturb(compiled.program, "second", NAN); });
  EXPECT_EQ(failedGroups(report), Paths{"second"});
  EXPECT_EQ(report.worst, "second");
  EXPECT_TRUE(std::isinf(report.maxAbsolute));
  int code = -1;
  host::JsonValue object = json(report, code);
  EXPECT_EQ(code, 1);
  EXPECT_EQ(object.find("max_abs")->kind, host::JsonValue::Kind::Null);
}

TEST_F(VerificationTest, AWrongConstantOfAnEpilogueFails) {
  Network network(kText);
  unsigned replaced = 0;
  VerifyReport report = verify(network, [&](Compiled &compiled) {
    llvm::Function *kernel = kernelOf(compiled.program, indexOf(compiled.program, "first"));
    for (llvm::Instruction &instruction : llvm::instructions(kernel))
      for (llvm::Use &use : instruction.operands()) {
        auto *constant = llvm::dyn_cast<llvm::Constant>(use.get());
        if (!constant || !constant->getType()->getScalarType()->isFloatTy())
          continue;
        llvm::Constant *element = constant->getType()->isVectorTy() ? constant->getSplatValue() : constant;
        if (auto *number = llvm::dyn_cast_or_null<llvm::ConstantFP>(element); number && number->isExactlyValue(0.125)) {
          use.set(llvm::ConstantFP::get(constant->getType(), 0.1251));
          ++replaced;
        }
      }
  });
  EXPECT_GT(replaced, 0u);
  EXPECT_EQ(failedGroups(report), Paths{"first"});
  EXPECT_EQ(report.worst, "first");
}

TEST_F(VerificationTest, KernelsForAnotherGroupFail) {
  Network network(kText);
  network.options.exact = true;
  // The kernels are those of modules in which one subtraction is the other way round; these must outlive them.
  std::vector<OwningOpRef<ModuleOp>> others;
  VerifyReport report = verify(network, [&](Compiled &compiled) {
    others.emplace_back(compiled.module->clone());
    others.back()->walk([](SubOp sub) {
      Value left = sub->getOperand(0);
      sub->setOperand(0, sub->getOperand(1));
      sub->setOperand(1, left);
    });
    cpu::LowerOptions lower;
    lower.isas = {cpu::isaInfo(network.options.isas.front()).name.str()};
    lower.state = [&](StringRef name, RankedTensorType type) { return (*network.weights)(name, type); };
    auto program = cpu::lowerToProgram(*others.back(), lower);
    ASSERT_TRUE(succeeded(program));
    compiled.program = std::move(*program);
  });
  ASSERT_EQ(failedGroups(report).size(), 1u);
  EXPECT_EQ(report.worst, failedGroups(report).front());
  EXPECT_GT(report.maxAbsolute, 0.1);
}

TEST_F(VerificationTest, LiveBuffersThatOverlapAreFound) {
  Network network(kText, 2);
  // `first` is read by the subtraction that `pool` ends with, after `second` is written.
  VerifyReport report =
      verify(network, [](Compiled &compiled) { overlap(compiled.program, "second", "first"); }, /*keptIsRight=*/true);
  EXPECT_TRUE(mentions(report, "operand 1 of 'pool' was overwritten before it was read"));
  EXPECT_TRUE(mentions(report, "output 'output' has other bits when every buffer is kept"));
  int code = -1;
  json(report, code);
  EXPECT_EQ(code, 1);
}

TEST_F(VerificationTest, OneWrongBitOfAPackedWeightIsFound) {
  Network network(kText);
  std::string name;
  VerifyReport report = verify(network, [&](Compiled &compiled) {
    Program &program = compiled.program;
    const PackedWeight &packed = program.packed.back();
    name = packed.name;
    program.streamWeights = [stream = program.streamWeights, at = packed.offset](WeightSink sink) {
      int64_t position = 0;
      return stream([&](ArrayRef<char> bytes) {
        std::vector<char> copy(bytes.begin(), bytes.end());
        if (position <= at && at < position + static_cast<int64_t>(bytes.size()))
          copy[static_cast<size_t>(at - position)] ^= 1;
        position += static_cast<int64_t>(bytes.size());
        return sink(copy);
      });
    };
  });
  EXPECT_EQ(failedGroups(report), Paths{}) << "groups use the weights that they have";
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures.front(), "the packed weights of '" + name + "' are not what @prepare gives");
}

/// The generic kernel writes the first result over the operand that the second is made of, too.
TEST_F(VerificationTest, TwoResultsOfWhichOneIsInPlace) {
  Network network(R"(
network n(x: f32[N, 3, 8, 7]) -> (p: f32[N, 16, 8, 7], q: f32[N, 896]) {
  y = x -> conv(16, kernel = 3, pad = 1) -> relu6
  z = y * (y -> global_avg_pool -> sigmoid)
  return (p = z -> tanh, q = z -> flatten)
}
)",
                  2);
  VerifyReport report = verify(network, [](Compiled &) {});
  EXPECT_TRUE(report.passed()) << report.failures.front();
}

/// 64 products of ones: the exact sum is 64, and (64 + 2) 2^-24 * 64 is allowed, some 33 units in the last place.
TEST_F(VerificationTest, TheBoundIsNotVacuous) {
  std::string row = "[1";
  for (int i = 1; i < 64; ++i)
    row += ", 1";
  row += "]";
  std::string rows = row;
  for (int i = 1; i < 16; ++i)
    rows += ", " + row;
  Network network("network n(x: f32[N, 64]) -> f32[N, 16] { x -> sum: dense(weights = [" + rows + "]) }");
  for (float &value : std::span(reinterpret_cast<float *>(network.inputs[0].bytes.data()), 64))
    value = 1;
  auto disturbed = [&](float delta) {
    return verify(network, [&](Compiled &compiled) { disturb(compiled.program, "sum", delta); });
  };
  VerifyReport right = disturbed(0);
  ASSERT_EQ(right.groups.size(), 1u);
  EXPECT_EQ(right.maxAbsolute, 0);
  const double bound = right.groups.front().bound, ulp = 0x1p-17;
  EXPECT_NEAR(bound, 66 * 64 * 0x1p-24, ulp);
  for (float sign : {1.0f, -1.0f}) {
    VerifyReport below = disturbed(sign * static_cast<float>(std::floor(bound / ulp) * ulp));
    EXPECT_TRUE(below.passed()) << below.failures.front();
    EXPECT_GT(below.maxOfBound, 0.9);
    VerifyReport above = disturbed(sign * static_cast<float>((std::floor(bound / ulp) + 1) * ulp));
    EXPECT_FALSE(above.passed());
    EXPECT_LT(above.maxOfBound, 1.1);
    EXPECT_EQ(above.failures.size(), 1u) << "the whole is right within its wider bound";
    EXPECT_EQ(above.worst, "sum");
  }
}

} // namespace
} // namespace cnn::test
