// See GroupCase.h.
#include "test/unit/codegen/cpu/GroupCase.h"

#include "ir/reference/Bounds.h"
#include "ir/reference/Materialize.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace cnn::cpu;

namespace cnn::testing {

std::string tensor(ArrayRef<int64_t> shape, const std::string &layout, const std::string &element) {
  std::string text = "tensor<";
  for (int64_t extent : shape)
    text += (extent < 0 ? "?" : std::to_string(extent)) + "x";
  return text + element + (layout.empty() ? ">" : ", " + layout + ">");
}

std::string ints(const std::string &name, ArrayRef<int64_t> values) {
  std::string text;
  for (int64_t value : values)
    text += (text.empty() ? " " : ", ") + std::to_string(value);
  return name + " = array<i64" + (text.empty() ? "" : ":") + text + ">";
}

std::string GroupCase::input(const std::string &type, Source source) {
  inputs.push_back("%a" + std::to_string(inputs.size()));
  sources.push_back(source ? std::move(source) : [](std::mt19937 &random) {
    return random() % 16 ? std::normal_distribution<float>()(random) : 0.0f;
  });
  types[inputs.back()] = type;
  return inputs.back();
}

std::string GroupCase::op(const std::string &name, const std::vector<std::string> &operands,
                          const std::string &attributes, const std::string &type) {
  std::string value = "%v" + std::to_string(types.size());
  std::string joined, joinedTypes;
  for (const std::string &operand : operands) {
    joined += (joined.empty() ? "" : ", ") + operand;
    joinedTypes += (joinedTypes.empty() ? "" : ", ") + types.at(operand);
  }
  // The third operand of a draw has a keyword.
  if (name.starts_with("random") && operands.size() == 3)
    joined = operands[0] + ", " + operands[1] + " like " + operands[2];
  else if (name == "warp" && operands.size() == 3)
    joined = operands[0] + ", " + operands[1] + " by " + operands[2];
  else if ((name == "dense" || name.starts_with("conv2d")) && operands.size() == 3)
    joined = operands[0] + ", " + operands[1] + " bias " + operands[2];
  body += "    " + value + " = cnn." + name + " " + joined + " {" + attributes + "} : " + joinedTypes + " -> " + type +
          "\n";
  types[value] = type;
  return value;
}

std::string GroupCase::constant(double value, const std::string &type) {
  std::string name = "%v" + std::to_string(types.size());
  char number[40];
  snprintf(number, sizeof number, "%.9e", value);
  body += "    " + name + " = cnn.constant dense<" + number + "> : " + type + "\n";
  types[name] = type;
  return name;
}

std::string GroupCase::text() const {
  std::string arguments, bindings, resultTypes, yielded, outputs;
  auto append = [](std::string &list, const std::string &what) { list += (list.empty() ? "" : ", ") + what; };
  for (const std::string &input : inputs) {
    std::string name = "%x" + input.substr(2), type = types.at(input);
    append(arguments, name + ": " + type + (type.starts_with("tensor<?") ? " {cnn.input = \"" + name + "\"}" : ""));
    append(bindings, input + " = " + name + " : " + type);
  }
  for (size_t i = 0; i < results.size(); ++i) {
    append(resultTypes, types.at(results[i]));
    append(yielded, results[i]);
    append(outputs, "%g#" + std::to_string(i));
  }
  return "#b = #cnn.layout<outer = [0, 1, 2, 3], inner = [1 : 16]>\n#v = #cnn.layout<outer = [0], inner = [0 : 16]>\n"
         "func.func @run(" +
         arguments + ") -> (" + resultTypes + ") {\n  %g:" + std::to_string(results.size()) +
         " = cnn.group \"g\" kind \"generic\" (" + bindings + ") -> (" + resultTypes + ") {\n" + body +
         "    cnn.yield " + yielded + " : " + resultTypes + "\n  }\n  return " + outputs + " : " + resultTypes +
         "\n}\n";
}

GroupOp groupOf(ModuleOp module) {
  GroupOp found;
  module.walk([&](GroupOp group) { found = group; });
  return found;
}

OwningOpRef<ModuleOp> parseGroup(MLIRContext &context, const std::string &text) {
  context.loadDialect<CnnDialect, CpuDialect, func::FuncDialect>();
  return parseSourceString<ModuleOp>(text, &context);
}

namespace {

/// An operand in memory, between pages that no one may touch.
struct Stored {
  RankedTensorType type; ///< With N filled in.
  Floats memory;
  int64_t bytes, imageStride;
  reference::TensorRef value;

  Stored(RankedTensorType declared, int64_t batch)
      : type(withBatch(declared, batch)), memory((storedBytes(type, /*whole=*/true) + 3) / 4),
        bytes(storedBytes(type, /*whole=*/true)),
        imageStride(declared.getRank() && declared.isDynamicDim(0) ? storedBytes(declared, /*whole=*/false) : 0) {
    std::memset(memory.bytes(), 0xff, bytes);
  }

  static RankedTensorType withBatch(RankedTensorType type, int64_t batch) {
    SmallVector<int64_t> shape(type.getShape());
    if (!shape.empty() && type.isDynamicDim(0))
      shape[0] = batch;
    return RankedTensorType::get(shape, type.getElementType(), type.getEncoding());
  }

  void fill(const reference::Tensor &tensor, bool poison) {
    std::vector<char> image = reference::materialize(type, tensor);
    std::memcpy(memory.bytes(), image.data(), bytes);
    int64_t element = elementBytes(type.getElementType());
    forEachStored(type, [&](int64_t at, int64_t logical) {
      if (logical < 0 && poison)
        std::memset(memory.bytes() + at * element, 0xff, element);
    });
    value = reference::share(reference::load(type, type.getShape(), image));
  }

  bool hasZeroPadding() const {
    int64_t element = elementBytes(type.getElementType());
    bool zero = true;
    forEachStored(type, [&](int64_t at, int64_t logical) {
      for (int64_t byte = 0; logical < 0 && byte < element; ++byte)
        zero &= (memory.bytes()[at * element + byte] & (byte + 1 == element ? 0x7f : 0xff)) == 0;
    });
    return zero;
  }
};

} // namespace

void GroupCase::compare(ArrayRef<Runner> runners) {
  std::string source = text();
  SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(batch) + "\n" + source);
  MLIRContext context(MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = parseGroup(context, source);
  ASSERT_TRUE(module);
  GroupOp group = groupOf(*module);

  std::vector<Stored> operands;
  SmallVector<reference::TensorRef> values;
  std::mt19937 numbers(seed);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Stored &stored = operands.emplace_back(cast<RankedTensorType>(group.getInputs()[i].getType()), batch);
    reference::Tensor tensor(stored.type.getShape());
    for (double &value : tensor.values)
      value = sources[i](numbers);
    stored.fill(tensor, poisonPadding);
    values.push_back(stored.value);
  }
  reference::EvaluateOptions options;
  options.batch = batch;
  FailureOr<SmallVector<reference::Bounded>> expected = reference::evaluateWithBounds(group, values, options);
  ASSERT_TRUE(succeeded(expected));

  std::vector<Stored> first;
  for (const Runner &run : runners) {
    std::vector<Stored> all;
    SmallVector<Memory> memory;
    auto add = [&](Stored &stored) { memory.push_back({stored.memory.bytes(), stored.bytes, stored.imageStride}); };
    llvm::for_each(operands, add);
    all.reserve(results.size());
    for (Type type : group.getResultTypes())
      add(all.emplace_back(cast<RankedTensorType>(type), batch));
    run(group, memory);
    if (::testing::Test::HasFailure())
      return;
    for (size_t i = 0; i < results.size() && !first.empty(); ++i)
      EXPECT_EQ(0, std::memcmp(all[i].memory.bytes(), first[i].memory.bytes(), first[i].bytes))
          << "result " << i << " has other bits when the work is cut in another way";
    if (first.empty())
      first = std::move(all);
  }
  for (size_t i = 0; i < results.size(); ++i) {
    const Stored &seen = first[i];
    std::vector<char> bytes(seen.memory.bytes(), seen.memory.bytes() + seen.bytes);
    reference::Tensor tensor = reference::load(seen.type, seen.type.getShape(), bytes);
    reference::Difference difference = reference::compare(tensor, (*expected)[i]);
    EXPECT_TRUE(difference.passed) << "result " << i << ", element " << difference.worst << ": "
                                   << (difference.worst < 0 ? 0.0 : tensor.values[difference.worst]) << " instead of "
                                   << (difference.worst < 0 ? 0.0 : (*expected)[i].value->values[difference.worst])
                                   << ", " << difference.maxOfBound << " of the bound";
    EXPECT_TRUE(seen.hasZeroPadding()) << "result " << i;
  }
}

} // namespace cnn::testing
