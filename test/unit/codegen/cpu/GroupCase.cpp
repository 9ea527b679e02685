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
  else if (name.starts_with("conv2d") && operands.size() == 3)
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

namespace {

GroupOp groupOf(ModuleOp module) {
  GroupOp found;
  module.walk([&](GroupOp group) { found = group; });
  return found;
}

OwningOpRef<ModuleOp> parse(MLIRContext &context, const std::string &text) {
  context.loadDialect<CnnDialect, CpuDialect, func::FuncDialect>();
  return parseSourceString<ModuleOp>(text, &context);
}

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

ScheduleAttr scheduleOf(MLIRContext *context, KernelKind kind) {
  ConvTile tile;
  tile.unroll = 1;
  return convSchedule(context, algorithmOf(kind), tile);
}

} // namespace

CompiledGroup::CompiledGroup(const std::string &text, Isa isa, KernelKind kind)
    : jit(isa, [&](KernelBuilder &b) {
        OwningOpRef<ModuleOp> module = parse(*b.getContext(), text);
        GroupOp group = groupOf(*module);
        ScheduleAttr schedule = scheduleOf(b.getContext(), kind);
        std::string whyNot;
        if (kernelKindOf(group, whyNot) != kind)
          return;
        if (auto built = buildGroupKernels(b, "group", group, schedule); succeeded(built))
          kernels.assign(built->begin(), built->end());
        auto parts = scratchParts(group, schedule);
        scratch.assign(parts.begin(), parts.end());
      }) {}

void CompiledGroup::run(std::vector<char *> buffers, std::vector<int64_t> imageStrides, int64_t batch,
                        int pieces) const {
  std::vector<Floats> memory;
  for (const ScratchPart &part : scratch) {
    buffers.push_back(memory.emplace_back(batch * part.bytes / 4, NAN).bytes());
    imageStrides.push_back(part.bytes);
  }
  for (const GroupKernel &kernel : kernels) {
    std::vector<char *> own;
    std::vector<int64_t> ownStrides;
    for (int64_t operand : kernel.operands) {
      own.push_back(buffers[operand]);
      ownStrides.push_back(imageStrides[operand]);
    }
    int64_t units = kernel.info.fixedUnits + batch * kernel.info.unitsPerImage;
    Floats thread(std::max<int64_t>(kernel.info.scratchBytes / 4, 1), NAN);
    for (int piece = pieces; piece-- > 0;)
      jit.lookup(kernel.info.symbol)(own.data(), ownStrides.data(), batch, units * piece / pieces,
                                     units * (piece + 1) / pieces, thread.bytes());
  }
}

void GroupCase::check(KernelKind kind) {
  for (Isa isa : allIsas()) {
    if (hostSupports(isa))
      check(isa, kind);
    else
      std::cout << "SKIP " << isaInfo(isa).name.str() << ": this machine does not have it\n";
    if (::testing::Test::HasFailure())
      return;
  }
}

void GroupCase::check(Isa isa, KernelKind kind) {
  std::string source = text();
  SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(batch) + ", " + isaInfo(isa).name.str() +
               "\n" + source);
  MLIRContext context(MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module = parse(context, source);
  ASSERT_TRUE(module);
  GroupOp group = groupOf(*module);
  std::string whyNot;
  std::optional<KernelKind> chosen = kernelKindOf(group, whyNot);
  ASSERT_TRUE(chosen) << whyNot;
  ASSERT_EQ(static_cast<int>(*chosen), static_cast<int>(kind)) << whyNot;

  CompiledGroup compiled(source, isa, kind);
  ASSERT_TRUE(compiled.hasKernels());

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

  auto run = [&](int pieces) {
    std::vector<Stored> all;
    std::vector<char *> buffers;
    std::vector<int64_t> strides;
    for (Stored &operand : operands) {
      buffers.push_back(operand.memory.bytes());
      strides.push_back(operand.imageStride);
    }
    all.reserve(results.size());
    for (Type type : group.getResultTypes()) {
      Stored &stored = all.emplace_back(cast<RankedTensorType>(type), batch);
      buffers.push_back(stored.memory.bytes());
      strides.push_back(stored.imageStride);
    }
    compiled.run(buffers, strides, batch, pieces);
    return all;
  };
  std::vector<Stored> whole = run(1), cut = run(3);
  for (size_t i = 0; i < results.size(); ++i) {
    const Stored &seen = whole[i];
    std::vector<char> bytes(seen.memory.bytes(), seen.memory.bytes() + seen.bytes);
    reference::Tensor tensor = reference::load(seen.type, seen.type.getShape(), bytes);
    reference::Difference difference = reference::compare(tensor, (*expected)[i]);
    EXPECT_TRUE(difference.passed) << "result " << i << ", element " << difference.worst << ": "
                                   << (difference.worst < 0 ? 0.0 : tensor.values[difference.worst]) << " instead of "
                                   << (difference.worst < 0 ? 0.0 : (*expected)[i].value->values[difference.worst])
                                   << ", " << difference.maxOfBound << " of the bound";
    EXPECT_TRUE(seen.hasZeroPadding()) << "result " << i;
    EXPECT_EQ(0, std::memcmp(seen.memory.bytes(), cut[i].memory.bytes(), seen.bytes))
        << "result " << i << " has other bits when the units are cut";
  }
}

} // namespace cnn::testing
