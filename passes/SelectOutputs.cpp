// Drops the outputs that nobody asked for, before anything else, so that what only they need is dead code from the
// start.
#include "passes/Passes.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace cnn {
#define GEN_PASS_DEF_SELECTOUTPUTS
#include "passes/Passes.h.inc"

namespace {
struct SelectOutputs : impl::SelectOutputsBase<SelectOutputs> {
  using Base::Base;

  void runOnOperation() override {
    if (names.empty())
      return;
    auto infer = getOperation().lookupSymbol<func::FuncOp>(kInferFunction);
    if (!infer)
      infer = getOperation().lookupSymbol<func::FuncOp>(kStepFunction);
    if (!infer) {
      getOperation().emitError() << "there is no function @" << kInferFunction;
      return signalPassFailure();
    }
    SmallVector<std::string> known;
    llvm::BitVector dropped(infer.getNumResults());
    for (unsigned index = 0; index < infer.getNumResults(); ++index) {
      auto name = infer.getResultAttrOfType<StringAttr>(index, kOutputAttr);
      if (!name) // The new value of a state variable.
        continue;
      known.push_back(name.str());
      if (!llvm::is_contained(names, known.back()))
        dropped.set(index);
    }
    for (const std::string &name : names)
      if (!llvm::is_contained(known, name)) {
        infer.emitError() << "there is no output '" << name << "'; the outputs are " << llvm::join(known, ", ");
        return signalPassFailure();
      }
    auto ret = cast<func::ReturnOp>(infer.getBody().front().getTerminator());
    ret->eraseOperands(dropped);
    (void)infer.eraseResults(dropped);
  }
};
} // namespace
} // namespace cnn
