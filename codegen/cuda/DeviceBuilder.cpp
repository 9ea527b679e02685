// See DeviceBuilder.h.
#include "codegen/cuda/DeviceBuilder.h"

#include "codegen/cuda/OperandBytes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

using namespace mlir;
namespace cnn::cuda {

// The instruction set matters to the tiles of the CPU's kernels alone.
DeviceBuilder::DeviceBuilder(ModuleOp module, const Architecture &architecture, Location loc)
    : KernelBuilder(module, cpu::Isa::Sse, loc), architecture_(architecture) {
  module.getContext()->loadDialect<NVVM::NVVMDialect>();
}

void DeviceBuilder::deviceKernel(StringRef symbol, ArrayRef<DeviceOperand> operands, int64_t blockThreads,
                                 llvm::function_ref<void()> body) {
  InsertionGuard guard(*this);
  setInsertionPointToEnd(module().getBody());
  size_t count = operands.size();
  SmallVector<Type> types(count, pointer());
  types.append(count + 2, i64());
  auto function =
      LLVM::LLVMFuncOp::create(*this, symbol, LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(getContext()), types),
                               LLVM::Linkage::External, /*dsoLocal=*/false, LLVM::CConv::PTX_Kernel);
  function->setAttr(NVVM::NVVMDialect::getKernelFuncAttrName(), getUnitAttr());
  function->setAttr(NVVM::NVVMDialect::getReqntidAttrName(),
                    getDenseI32ArrayAttr({static_cast<int32_t>(blockThreads), 1, 1}));
  for (auto [index, operand] : llvm::enumerate(operands)) {
    function.setArgAttr(index, LLVM::LLVMDialect::getAlignAttrName(), getI64IntegerAttr(operand.alignment));
    if (operand.noAlias)
      function.setArgAttr(index, LLVM::LLVMDialect::getNoAliasAttrName(), getUnitAttr());
    if (operand.readOnly)
      function.setArgAttr(index, LLVM::LLVMDialect::getReadonlyAttrName(), getUnitAttr());
  }
  if (llvm::all_of(operands, [](const DeviceOperand &operand) { return operand.bytes > 0; })) {
    std::string bytes;
    for (const DeviceOperand &operand : operands)
      bytes += (bytes.empty() ? "" : ",") + std::to_string(operand.bytes);
    function.setPassthroughAttr(getArrayAttr(getStrArrayAttr({kOperandBytes, bytes})));
  }
  Block *entry = function.addEntryBlock(*this);
  setInsertionPointToStart(entry);
  SmallVector<Value> arguments(entry->getArguments());
  bind(ArrayRef(arguments).take_front(count), ArrayRef(arguments).slice(count, count), arguments[2 * count]);
  operands_.assign(operands.begin(), operands.end());
  units_ = arguments[2 * count + 1];
  blockThreads_ = blockThreads;
  body();
  LLVM::ReturnOp::create(*this, ValueRange());
}

void DeviceBuilder::part(ArrayRef<int64_t> operands, int64_t firstBlock, int64_t units,
                         llvm::function_ref<void()> body) {
  size_t count = operands_.size();
  SmallVector<Value> buffers, imageStrides, allBuffers, allStrides;
  SmallVector<DeviceOperand> all = operands_;
  for (size_t operand = 0; operand < count; ++operand) {
    allBuffers.push_back(buffer(operand));
    allStrides.push_back(imageStride(operand));
  }
  operands_.clear();
  for (int64_t operand : operands) {
    buffers.push_back(allBuffers[operand]);
    imageStrides.push_back(allStrides[operand]);
    operands_.push_back(all[operand]);
  }
  Value allUnits = std::exchange(units_, index(units)), allImages = batch();
  bind(buffers, imageStrides, allImages);
  firstBlock_ = firstBlock;
  body();
  firstBlock_.reset();
  units_ = allUnits;
  operands_ = all;
  bind(allBuffers, allStrides, allImages);
}

DeviceLaunch DeviceBuilder::unitKernel(StringRef symbol, ArrayRef<DeviceOperand> operands, int64_t blockThreads,
                                       llvm::function_ref<void(Value)> body) {
  DeviceLaunch launch;
  auto build = [&](int64_t firstBlock, int64_t threads) {
    Value unit = add(mul(sub(blockIndex(), firstBlock), threads), threadIndex());
    ifThen(lessThan(unit, units()), [&] { body(unit); });
  };
  if (firstBlock_) {
    build(*firstBlock_, blockThreads_);
    return launch;
  }
  deviceKernel(symbol, operands, blockThreads, [&] { build(0, blockThreads); });
  launch.unitsPerBlock = launch.blockThreads = blockThreads;
  return launch;
}

Value DeviceBuilder::threadIndex() {
  return arith::ExtUIOp::create(*this, i64(), NVVM::ThreadIdXOp::create(*this, getI32Type()).getResult());
}

Value DeviceBuilder::blockIndex(int axis) {
  Value index = axis == 0   ? NVVM::BlockIdXOp::create(*this, getI32Type()).getResult()
                : axis == 1 ? NVVM::BlockIdYOp::create(*this, getI32Type()).getResult()
                            : NVVM::BlockIdZOp::create(*this, getI32Type()).getResult();
  return arith::ExtUIOp::create(*this, i64(), index);
}

void DeviceBuilder::barrier() { NVVM::Barrier0Op::create(*this); }

Value DeviceBuilder::shuffleXor(Value value, int32_t mask) {
  auto constant = [&](int32_t number) -> Value {
    return arith::ConstantOp::create(*this, getI32IntegerAttr(number)).getResult();
  };
  // All lanes, none of them clamped.
  return NVVM::ShflOp::create(*this, value.getType(), constant(-1), value, constant(mask), constant(31),
                              NVVM::ShflKind::bfly, UnitAttr());
}

Value DeviceBuilder::shared(int64_t bytes) {
  constexpr unsigned kSharedSpace = 3, kSharedAlignment = 1024;
  if (!module().lookupSymbol(kSharedSymbol)) {
    InsertionGuard guard(*this);
    setInsertionPointToStart(module().getBody());
    LLVM::GlobalOp::create(*this, LLVM::LLVMArrayType::get(getI8Type(), 0), /*isConstant=*/false,
                           LLVM::Linkage::External, kSharedSymbol, Attribute(), kSharedAlignment, kSharedSpace);
  }
  Value begin = LLVM::AddressOfOp::create(*this, LLVM::LLVMPointerType::get(getContext(), kSharedSpace), kSharedSymbol);
  return offset(begin, bytes);
}

} // namespace cnn::cuda
