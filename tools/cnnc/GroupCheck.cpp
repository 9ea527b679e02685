// Reads groups' operands and results from a running network; GroupCheck.h has the contract.
#include "tools/cnnc/GroupCheck.h"

#include "ir/reference/Materialize.h"
#include "ir/reference/Prepare.h"

#include <cmath>
#include <cstring>

using namespace mlir;

namespace cnn {

using reference::Tensor;
using reference::TensorRef;

TensorRef GroupCheck::read(const Operand &operand, RankedTensorType type) const {
  auto [address, stride] = loaded.resolve(operand, batch);
  SmallVector<int64_t> shape(type.getShape());
  if (!type.isDynamicDim(0))
    return share(reference::load(type, shape, {address, static_cast<size_t>(storedBytes(type, /*whole=*/true))}));
  shape[0] = batch;
  size_t imageBytes = static_cast<size_t>(storedBytes(type, /*whole=*/false));
  std::vector<char> dense(imageBytes * static_cast<size_t>(batch));
  for (int64_t image = 0; image < batch; ++image)
    std::memcpy(dense.data() + imageBytes * static_cast<size_t>(image), address + image * stride, imageBytes);
  return share(reference::load(type, shape, dense));
}

TensorRef GroupCheck::expected(Value value) {
  if (TensorRef known = written.lookup(value))
    return known;
  auto group = value.getDefiningOp<GroupOp>();
  if (!group || !group.getElided())
    return nullptr;
  SmallVector<TensorRef> sources;
  for (Value operand : group.getInputs()) {
    sources.push_back(expected(operand));
    if (!sources.back())
      return nullptr;
  }
  auto moved = reference::evaluate(group.getOperation(), sources, options);
  if (failed(moved))
    return nullptr;
  return (*moved)[cast<OpResult>(value).getResultNumber()];
}

/// Equal bits, but for the sign of zero and the payload of NaN, which doubles keep or not.
static bool sameValues(const Tensor &a, const Tensor &b) {
  return std::memcmp(a.data(), b.data(), a.values.size() * sizeof(double)) == 0 ||
         std::equal(a.values.begin(), a.values.end(), b.values.begin(),
                    [](double x, double y) { return x == y || (x != x && y != y); });
}

void GroupCheck::before(GroupOp group, const GroupInfo &info) {
  operands.clear();
  for (auto [index, value] : llvm::enumerate(group.getInputs())) {
    operands.push_back(read(info.operands[index], cast<RankedTensorType>(value.getType())));
    TensorRef was = expected(value);
    if (was && corruption.empty() && !sameValues(*was, *operands.back()))
      corruption = "operand " + std::to_string(index) + " of '" + info.path + "' was overwritten before it was read";
  }
}

void GroupCheck::after(GroupOp group, const GroupInfo &info) {
  auto bounded = reference::evaluateWithBounds(group, operands, options);
  if (failed(bounded)) {
    problem = "the reference implementation cannot evaluate '" + info.path + "'";
    return;
  }
  GroupResult result{info.path, info.kind, {}};
  for (auto [index, value] : llvm::enumerate(group.getOutputs())) {
    TensorRef got = read(info.results[index], cast<RankedTensorType>(value.getType()));
    written[value] = got;
    reference::Difference difference = reference::compare(*got, (*bounded)[index]);
    reference::Difference &all = result.difference;
    if (difference.worst >= 0 && (all.worst < 0 || difference.maxOfBound > all.maxOfBound)) {
      all.worst = difference.worst;
      size_t worst = static_cast<size_t>(difference.worst);
      result.computed = got->values[worst];
      result.expected = (*bounded)[index].value->values[worst];
      result.bound = (*bounded)[index].bound->values[worst];
    }
    // compare() leaves what is not finite out of the maxima; figures of a failure must not look like a success.
    if (std::isinf(difference.maxOfBound))
      difference.maxAbsolute = difference.maxRelative = difference.maxUlp = difference.maxOfBound;
    all.passed &= difference.passed;
    all.maxAbsolute = std::max(all.maxAbsolute, difference.maxAbsolute);
    all.maxRelative = std::max(all.maxRelative, difference.maxRelative);
    all.maxUlp = std::max(all.maxUlp, difference.maxUlp);
    all.maxOfBound = std::max(all.maxOfBound, difference.maxOfBound);
  }
  results.push_back(std::move(result));
}

std::string GroupCheck::run(ArrayRef<const void *> inputs, ArrayRef<void *> outputs) {
  const Program &program = compiled.program;
  if (groups.size() != program.groups.size())
    return "the program's groups are not those of the network";
  auto observer = [&](const StepView &view) {
    size_t group = static_cast<size_t>(view.step->group);
    if (!problem.empty())
      return;
    bool isFirst = view.index == 0 || program.steps[view.index - 1].group != view.step->group;
    bool isLast = view.index + 1 == program.steps.size() || program.steps[view.index + 1].group != view.step->group;
    if (!view.after && isFirst)
      before(groups[group], program.groups[group]);
    if (view.after && isLast)
      after(groups[group], program.groups[group]);
  };
  if (llvm::Error error = loaded.run(batch, inputs, outputs, StepObserver(observer)))
    return toError(std::move(error)).message;
  return problem;
}

std::string GroupCheck::checkWeights(const Weights &weights) const {
  const Program &program = compiled.program;
  if (program.packed.empty())
    return "";
  std::string different;
  auto compare = [&](int64_t index, ArrayRef<char> bytes) -> LogicalResult {
    const PackedWeight &packed = program.packed[static_cast<size_t>(index)];
    char *address = loaded.resolve(Operand{Segment::Weights, packed.offset, 0, 0}, batch).first;
    if (static_cast<int64_t>(bytes.size()) == packed.bytes && std::memcmp(address, bytes.data(), bytes.size()) == 0)
      return success();
    different = "the packed weights of '" + packed.name + "' are not what @prepare gives";
    return failure();
  };
  auto prepare = compiled.module->lookupSymbol<func::FuncOp>(kPrepareFunction);
  auto source = [&](StringRef name, RankedTensorType type) { return weights(name, type); };
  if (failed(reference::evaluatePrepare(prepare, source, compare, options)) && different.empty())
    different = "the weights could not be prepared";
  return different;
}

} // namespace cnn
