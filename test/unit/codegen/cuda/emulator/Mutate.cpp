// See Mutate.h.
#include "test/unit/codegen/cuda/emulator/Mutate.h"

#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/IR/IntrinsicsNVPTX.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Transforms/Utils/BasicBlockUtils.h"

using namespace llvm;

namespace cnn::cuda {

const char *nameOf(Mistake mistake) {
  static const char *const names[] = {"NoBarrier",        "DivergentBarrier", "WaitTooShort",     "NoCommit",
                                      "NoCopy",           "CopyPastTheEdge",  "SwappedFragment",  "WrongAccumulator",
                                      "TransposedMatrix", "MisalignedVector", "WrongSharedPlace", "BoundTooFar",
                                      "WrongLane",        "NoStore",          "SameBlock",        "SwappedChoice",
                                      "NoProxyFence",     "NoProductFence",   "ProductTooLate",   "WrongSwizzle"};
  return names[static_cast<int>(mistake)];
}

namespace {
/// The name of the intrinsic that is called, without "llvm.nvvm."; empty for anything else.
StringRef operationOf(const Instruction &instruction) {
  const auto *call = dyn_cast<CallInst>(&instruction);
  StringRef name = call && call->getCalledFunction() ? call->getCalledFunction()->getName() : "";
  return name.consume_front("llvm.nvvm.") ? name : "";
}

constexpr unsigned kShared = 3;

/// The operand that is the address of a load or store of 16 bytes; -1: it is none.
int wideAddress(const Instruction &instruction) {
  const Value *value = nullptr;
  int operand = -1;
  if (const auto *load = dyn_cast<LoadInst>(&instruction)) {
    value = load;
    operand = LoadInst::getPointerOperandIndex();
  } else if (const auto *store = dyn_cast<StoreInst>(&instruction)) {
    value = store->getValueOperand();
    operand = StoreInst::getPointerOperandIndex();
  }
  const auto *vector = value ? dyn_cast<FixedVectorType>(value->getType()) : nullptr;
  return vector && vector->getPrimitiveSizeInBits() == 128 ? operand : -1;
}

/// The operand that is an address in shared memory which something is read from or written to; -1: there is none.
int sharedAddress(const Instruction &instruction) {
  if (isa<LoadInst, StoreInst, CallInst>(instruction))
    for (const Use &use : instruction.operands())
      if (auto *type = dyn_cast<PointerType>(use->getType()); type && type->getAddressSpace() == kShared)
        return static_cast<int>(use.getOperandNo());
  return -1;
}

void moveAddress(Instruction &instruction, int operand, int64_t bytes) {
  IRBuilder<> builder(&instruction);
  instruction.setOperand(operand,
                         builder.CreateConstGEP1_64(builder.getInt8Ty(), instruction.getOperand(operand), bytes));
}

void swapArguments(CallInst &call, unsigned one, unsigned other) {
  Value *first = call.getArgOperand(one);
  call.setArgOperand(one, call.getArgOperand(other));
  call.setArgOperand(other, first);
}

/// How many operands of a product are of its first factor and of both.
std::pair<unsigned, unsigned> factorsOf(const CallInst &call) {
  const unsigned factors = call.arg_size() - 4;
  return {factors * 2 / 3, factors};
}

bool isPlace(const Instruction &instruction, Mistake mistake) {
  const StringRef name = operationOf(instruction);
  switch (mistake) {
  case Mistake::NoBarrier:
  case Mistake::DivergentBarrier:
    return name.starts_with("barrier.cta.sync");
  case Mistake::WaitTooShort:
    return name == "cp.async.wait.group";
  case Mistake::NoCommit:
    return name == "cp.async.commit.group";
  case Mistake::NoCopy:
    return name.contains("shared.global");
  case Mistake::CopyPastTheEdge:
    return name.contains("shared.global") && name.ends_with(".s");
  case Mistake::SwappedFragment:
  case Mistake::WrongAccumulator:
    return name.starts_with("mma.m16n8k");
  case Mistake::TransposedMatrix:
    return name.starts_with("ldmatrix") && !name.contains("trans");
  case Mistake::MisalignedVector:
    return wideAddress(instruction) >= 0;
  case Mistake::WrongSharedPlace:
    return sharedAddress(instruction) >= 0;
  case Mistake::BoundTooFar: {
    const auto *compare = dyn_cast<ICmpInst>(&instruction);
    return compare && (compare->getPredicate() == CmpInst::ICMP_SLT || compare->getPredicate() == CmpInst::ICMP_ULT);
  }
  case Mistake::WrongLane:
    return name.starts_with("shfl.sync");
  case Mistake::NoStore: {
    const auto *store = dyn_cast<StoreInst>(&instruction);
    return store && store->getPointerAddressSpace() != kShared;
  }
  case Mistake::SameBlock:
    return name == "read.ptx.sreg.ctaid.x";
  case Mistake::SwappedChoice:
    return isa<SelectInst>(instruction);
  case Mistake::NoProxyFence:
    return name.starts_with("fence.proxy.async");
  case Mistake::NoProductFence:
    return name == "wgmma.fence.sync.aligned";
  case Mistake::ProductTooLate:
    return name == "wgmma.wait_group.sync.aligned";
  case Mistake::WrongSwizzle: {
    // The pattern stands in the two highest bits.
    const auto *bits =
        instruction.getOpcode() == Instruction::Or ? dyn_cast<ConstantInt>(instruction.getOperand(1)) : nullptr;
    return bits && bits->getBitWidth() == 64 && bits->getZExtValue() >> 62;
  }
  }
  return false;
}

void change(Instruction &instruction, Mistake mistake) {
  IRBuilder<> builder(&instruction);
  auto *call = dyn_cast<CallInst>(&instruction);
  switch (mistake) {
  case Mistake::NoBarrier:
  case Mistake::NoCommit:
  case Mistake::NoCopy:
  case Mistake::NoStore:
  case Mistake::NoProxyFence:
  case Mistake::NoProductFence:
    instruction.eraseFromParent();
    break;
  case Mistake::DivergentBarrier: {
    Value *thread = builder.CreateIntrinsic(Intrinsic::nvvm_read_ptx_sreg_tid_x, {});
    Value *condition = builder.CreateICmpULT(thread, builder.getInt32(16));
    instruction.moveBefore(SplitBlockAndInsertIfThen(condition, instruction.getIterator(), false)->getIterator());
    break;
  }
  case Mistake::WrongSwizzle: {
    const auto *bits = cast<ConstantInt>(instruction.getOperand(1));
    instruction.setOperand(1, ConstantInt::get(bits->getType(), bits->getZExtValue() ^ uint64_t(3) << 62));
    break;
  }
  case Mistake::ProductTooLate:
  case Mistake::WaitTooShort: {
    const auto *pending = cast<ConstantInt>(call->getArgOperand(0));
    call->setArgOperand(0, ConstantInt::get(pending->getType(), pending->getZExtValue() + 1));
    break;
  }
  case Mistake::CopyPastTheEdge: {
    const StringRef name = operationOf(instruction);
    call->setArgOperand(2, builder.getInt32(name.contains(".16.") ? 16 : name.contains(".8.") ? 8 : 4));
    break;
  }
  case Mistake::SwappedFragment:
    swapArguments(*call, 0, factorsOf(*call).first - 1);
    break;
  case Mistake::WrongAccumulator:
    swapArguments(*call, factorsOf(*call).second, factorsOf(*call).second + 1);
    break;
  case Mistake::TransposedMatrix: {
    std::string name = call->getCalledFunction()->getName().str();
    name.insert(name.find(".b16"), ".trans");
    call->setCalledFunction(
        instruction.getModule()->getOrInsertFunction(name, call->getFunctionType(), call->getAttributes()));
    break;
  }
  case Mistake::MisalignedVector:
    moveAddress(instruction, wideAddress(instruction), 4);
    break;
  case Mistake::WrongSharedPlace:
    moveAddress(instruction, sharedAddress(instruction), 16);
    break;
  case Mistake::BoundTooFar: {
    auto &compare = cast<ICmpInst>(instruction);
    compare.setPredicate(CmpInst::getNonStrictPredicate(compare.getPredicate()));
    break;
  }
  case Mistake::WrongLane:
    call->setArgOperand(2, builder.getInt32(0));
    break;
  case Mistake::SameBlock:
    instruction.replaceAllUsesWith(ConstantInt::get(instruction.getType(), 0));
    break;
  case Mistake::SwappedChoice:
    cast<SelectInst>(instruction).swapValues();
    break;
  }
}
} // namespace

std::optional<std::string> mutate(Module &module, Mistake mistake, size_t index) {
  for (Function &function : module)
    for (Instruction &instruction : instructions(function))
      if (isPlace(instruction, mistake) && index-- == 0) {
        std::string text = function.getName().str() + ": ";
        raw_string_ostream stream(text);
        instruction.print(stream);
        for (const Use &operand : instruction.operands())
          if (isa<Instruction>(operand))
            stream << "\n    of" << *operand;
        change(instruction, mistake);
        return text;
      }
  return std::nullopt;
}

} // namespace cnn::cuda
