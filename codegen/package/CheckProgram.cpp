// See CheckProgram.h.
#include "codegen/package/CheckProgram.h"

#include "codegen/package/LibraryTarget.h"
#include "ir/CnnOps.h"
#include "runtime/embedded/cnn_abi.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

#include <fmt/format.h>

using namespace cnn;

namespace {

template <class... Args> llvm::Error wrong(fmt::format_string<Args...> format, Args &&...args) {
  return llvm::createStringError("internal error in the program to emit: " +
                                 fmt::format(format, std::forward<Args>(args)...));
}

bool aligned(int64_t bytes) { return bytes >= 0 && bytes % CNN_ALIGNMENT == 0; }

llvm::Error checkTensors(llvm::ArrayRef<TensorInfo> tensors, llvm::StringRef kind) {
  for (const TensorInfo &tensor : tensors) {
    if (tensor.shape.size() > CNN_MAX_RANK)
      return wrong("{} '{}' has more than {} dimensions", kind.str(), tensor.name, CNN_MAX_RANK);
    if (!host::byteCount(tensor.shape, tensor.dtype))
      return wrong("{} '{}' has too many bytes", kind.str(), tensor.name);
  }
  return llvm::Error::success();
}

llvm::Error checkOperand(const Program &program, const Operand &operand, const std::string &where) {
  switch (operand.segment) {
  case Segment::Weights:
    if (operand.offset < 0 || operand.offset + operand.slice >= program.weightsBytes || operand.imageStride != 0)
      return wrong("{}: an operand lies outside the weights", where);
    break;
  case Segment::Workspace:
    if (!aligned(operand.offset) || operand.offset >= program.workspaceBytes || operand.slice < 0)
      return wrong("{}: an operand lies outside the workspace", where);
    break;
  case Segment::Fixed:
    if (!aligned(operand.offset) || operand.offset >= program.fixedBytes || operand.slice < 0)
      return wrong("{}: an operand lies outside the fixed segment", where);
    break;
  case Segment::State:
    if (!aligned(operand.offset) || operand.offset >= program.stateBytes || operand.slice < 0)
      return wrong("{}: an operand lies outside the state", where);
    break;
  case Segment::Input:
  case Segment::Output: {
    const auto &tensors = operand.segment == Segment::Input ? program.inputs : program.outputs;
    if (operand.offset < 0 || operand.offset >= static_cast<int64_t>(tensors.size()))
      return wrong("{}: no such input or output, {}", where, operand.offset);
    if (tensors[operand.offset].batched != (operand.imageStride != 0))
      return wrong("{}: the image stride of '{}' does not say whether it has a batch", where,
                   tensors[operand.offset].name);
    break;
  }
  }
  return llvm::Error::success();
}

llvm::Error checkSteps(const Program &program) {
  for (auto [index, step] : llvm::enumerate(program.steps)) {
    if (step.group < 0 || step.group >= static_cast<int64_t>(program.groups.size()))
      return wrong("step {} is of no group", index);
    const std::string where = fmt::format("step {} of '{}'", index, program.groups[step.group].path);
    for (const Operand &operand : step.operands)
      if (llvm::Error error = checkOperand(program, operand, where))
        return error;
    if (step.kernels.size() != program.variants.size())
      return wrong("{}: {} kernels for {} instruction sets", where, step.kernels.size(), program.variants.size());
    for (auto [use, variant] : llvm::zip(step.kernels, program.variants)) {
      const llvm::Function *function = variant.module->getFunction(use.symbol);
      if (!function || function->isDeclaration() || !libraryTarget(program).isKernel(step, use, *function))
        return wrong("{}: no kernel '{}' for {}", where, use.symbol, variant.name);
      if (use.grain < 1 || use.unitsPerImage < 0 || use.fixedUnits < 0)
        return wrong("{}: kernel '{}' has negative units", where, use.symbol);
    }
  }
  return llvm::Error::success();
}

} // namespace

bool cnn::isIdentifier(llvm::StringRef name) {
  static const llvm::StringSet<> keywords = {
      "alignas",       "alignof",      "and",       "and_eq",     "asm",          "auto",
      "bitand",        "bitor",        "bool",      "break",      "case",         "catch",
      "char",          "class",        "compl",     "concept",    "const",        "constexpr",
      "continue",      "co_await",     "decltype",  "default",    "delete",       "do",
      "double",        "else",         "enum",      "explicit",   "export",       "extern",
      "false",         "float",        "for",       "friend",     "goto",         "if",
      "inline",        "int",          "long",      "mutable",    "namespace",    "new",
      "noexcept",      "not",          "not_eq",    "nullptr",    "operator",     "or",
      "or_eq",         "private",      "protected", "public",     "register",     "reinterpret_cast",
      "requires",      "restrict",     "return",    "short",      "signed",       "sizeof",
      "static",        "struct",       "switch",    "template",   "this",         "throw",
      "true",          "try",          "typedef",   "typeid",     "typename",     "union",
      "unsigned",      "using",        "virtual",   "void",       "volatile",     "wchar_t",
      "while",         "xor",          "xor_eq",    "const_cast", "dynamic_cast", "static_cast",
      "static_assert", "thread_local", "char8_t",   "char16_t",   "char32_t",     "consteval",
      "constinit",     "co_return",    "co_yield"};
  if (name.empty() || llvm::isDigit(name.front()) || keywords.contains(name))
    return false;
  return llvm::all_of(name, [](char c) { return llvm::isAlnum(c) || c == '_'; });
}

llvm::Error cnn::checkProgram(const Program &program) {
  if (!isIdentifier(program.name))
    return llvm::createStringError("'" + program.name + "' cannot be the name of a library: it is no identifier of C");
  if (!findLibraryTarget(program.target))
    return wrong("there is no target '{}' for libraries", program.target);
  if (!aligned(program.workspaceBytes) || !aligned(program.fixedBytes) || !aligned(program.weightsBytes) ||
      !aligned(program.stateBytes) || program.scratchBytes < 0)
    return wrong("a segment's size is no multiple of {}", CNN_ALIGNMENT);
  if (program.weightsBytes && !program.streamWeights)
    return wrong("there is nothing that gives the weights");
  if (program.variants.empty() && program.parts.empty())
    return wrong("it has code for no instruction set");
  for (const Program &part : program.parts)
    if (llvm::Error error = checkProgram(part))
      return error;
  if (llvm::Error error = checkTensors(program.inputs, "input"))
    return error;
  if (llvm::Error error = checkTensors(program.outputs, "output"))
    return error;
  return checkSteps(program);
}
