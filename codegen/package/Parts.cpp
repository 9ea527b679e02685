// See Parts.h.
#include "codegen/package/Parts.h"

#include "llvm/ADT/STLExtras.h"

#include <memory>

using namespace cnn;

static bool sameTensors(llvm::ArrayRef<TensorInfo> a, llvm::ArrayRef<TensorInfo> b) {
  return llvm::equal(a, b, [](const TensorInfo &x, const TensorInfo &y) {
    return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.batched == y.batched;
  });
}

/// Whether users may give both the same tensors and the same state.
static bool sameInterface(const Program &a, const Program &b) {
  auto sameVariable = [](const StateVariable &x, const StateVariable &y) {
    return x.name == y.name && x.kind == y.kind && x.dtype == y.dtype && x.shape == y.shape && x.offset == y.offset;
  };
  return a.name == b.name && a.batch == b.batch && a.hypers == b.hypers && sameTensors(a.inputs, b.inputs) &&
         sameTensors(a.outputs, b.outputs) && a.stateBytes == b.stateBytes &&
         llvm::equal(a.state, b.state, sameVariable) && (a.initialState < 0) == (b.initialState < 0);
}

llvm::Expected<Program> cnn::joinPrograms(std::vector<Program> parts, llvm::StringRef target) {
  const Program &first = parts.front();
  Program whole;
  whole.name = first.name;
  whole.target = target.str();
  whole.inputs = first.inputs;
  whole.outputs = first.outputs;
  whole.batch = first.batch;
  whole.state = first.state;
  whole.stateBytes = first.stateBytes;
  whole.hypers = first.hypers;
  whole.initialState = first.initialState;
  std::vector<std::function<llvm::Error(WeightSink)>> streams;
  for (const Program &part : parts) {
    if (!sameInterface(first, part))
      return llvm::createStringError("internal error: the code for '" + first.target + "' and for '" + part.target +
                                     "' has different inputs, outputs or state");
    whole.workspaceBytes = std::max(whole.workspaceBytes, part.workspaceBytes);
    whole.fixedBytes = std::max(whole.fixedBytes, part.fixedBytes);
    llvm::append_range(whole.groups, part.groups);
    for (PackedWeight packed : part.packed) {
      packed.offset += whole.weightsBytes;
      whole.packed.push_back(std::move(packed));
    }
    whole.weightsBytes += part.weightsBytes;
    if (part.weightsBytes)
      streams.push_back(part.streamWeights);
  }
  whole.streamWeights = [streams = std::move(streams)](WeightSink sink) -> llvm::Error {
    for (const auto &stream : streams)
      if (llvm::Error error = stream(sink))
        return error;
    return llvm::Error::success();
  };
  whole.parts = std::move(parts);
  return whole;
}
