// See Instrument.h.
#include "codegen/cuda/emulator/Instrument.h"

#include "codegen/cuda/OperandBytes.h"
#include "codegen/cuda/emulator/Block.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Analysis/ValueTracking.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InlineAsm.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/ReplaceConstant.h"
#include "llvm/Support/raw_ostream.h"

#include <bit>

using namespace llvm;

namespace cnn::cuda::emulator {

std::string entryName(StringRef kernel) { return (kernel + ".entry").str(); }

// What generated code calls.
static void checkAccess(Thread *thread, const Site *site, uint64_t address) {
  thread->block->access(*thread, *site, address, site->bytes, site->align, site->writes, site->atomic);
}
static void checkRange(Thread *thread, const Site *site, uint64_t address, uint64_t bytes) {
  if (bytes)
    thread->block->access(*thread, *site, address, bytes, site->align, site->writes);
}
static void readSum(Thread *thread, const Site *site, uint64_t bits, uint64_t *result) {
  *result = std::bit_cast<uint32_t>(thread->block->warpgroups().read(*thread, *site, static_cast<uint32_t>(bits)));
}
static void callHandler(Thread *thread, const Site *site, const uint64_t *arguments, uint64_t *results) {
  site->operation.handler(*thread, *site, arguments, results);
}

namespace {
enum AddressSpace { kGeneric = 0, kGlobal = 1, kShared = 3 };

/// The member of Thread that a special register reads, or nothing.
std::optional<size_t> registerOffset(StringRef name) {
  if (!name.consume_front("llvm.nvvm.read.ptx.sreg."))
    return std::nullopt;
  const auto [base, dimension] = name.split('.');
  const size_t axis = dimension == "y" ? 4 : dimension == "z" ? 8 : 0;
  if (!dimension.empty() && dimension != "x" && axis == 0)
    return std::nullopt;
  return StringSwitch<std::optional<size_t>>(base)
      .Case("tid", offsetof(Thread, tid) + axis)
      .Case("ctaid", offsetof(Thread, ctaid) + axis)
      .Case("ntid", offsetof(Thread, ntid) + axis)
      .Case("nctaid", offsetof(Thread, nctaid) + axis)
      .Case("laneid", offsetof(Thread, lane))
      .Case("warpid", offsetof(Thread, warp))
      .Default(std::nullopt);
}

bool isKernel(const Function &function) { return function.getCallingConv() == CallingConv::PTX_Kernel; }

class Instrumenter {
public:
  Instrumenter(Module &module, std::deque<Site> &sites)
      : module_(module), sites_(sites), context_(module.getContext()), layout_(module.getDataLayout()),
        pointer_(PointerType::get(context_, 0)), word_(Type::getInt64Ty(context_)) {}

  Expected<Instrumented> run();

private:
  Error placeShared();
  Error function(Function &function);
  Error instruction(Instruction &instruction);
  Error call(CallBase &call);
  void access(Instruction &instruction, Value *address, Type *type, Align align, bool writes, bool atomic = false);
  Error operation(CallBase &call, const Operation &operation);
  Error readSums(ArrayRef<Instruction *> all);
  Error entry(Function &function, Instrumented &result);
  Site &newSite(const Instruction &instruction);
  Value *hostAddress(const void *address) {
    return ConstantExpr::getIntToPtr(ConstantInt::get(word_, reinterpret_cast<uint64_t>(address)), pointer_);
  }
  template <typename F> void callHost(IRBuilder<> &builder, F *function, ArrayRef<Value *> arguments);
  Value *toWord(IRBuilder<> &builder, Value *value);
  Value *fromWord(IRBuilder<> &builder, Value *word, Type *type);
  Error refuse(const Instruction &instruction, const Twine &what) {
    return createStringError("function '" + instruction.getFunction()->getName() + "': " + what);
  }

  Module &module_;
  std::deque<Site> &sites_;
  LLVMContext &context_;
  const DataLayout &layout_;
  PointerType *pointer_;
  Type *word_;
  DenseMap<GlobalVariable *, uint64_t> shared_;
  uint64_t staticBytes_ = 0;
  bool usesAsyncProxy_ = false;
  unsigned granule_ = 4, globalGranule_ = 4;
  // Of the function at work.
  uint32_t number_ = 0;
  Value *thread_ = nullptr, *sharedBase_ = nullptr;
  AllocaInst *arguments_ = nullptr, *results_ = nullptr;
  uint64_t words_ = 1;
};

template <typename F> void Instrumenter::callHost(IRBuilder<> &builder, F *function, ArrayRef<Value *> arguments) {
  SmallVector<Type *> types;
  for (Value *argument : arguments)
    types.push_back(argument->getType());
  auto *type = FunctionType::get(builder.getVoidTy(), types, false);
  CallInst *call = builder.CreateCall(type, hostAddress(reinterpret_cast<const void *>(function)), arguments);
  call->setDoesNotThrow();
}

/// A value's bits in a word; nothing that kernels pass to operations is larger.
Value *Instrumenter::toWord(IRBuilder<> &builder, Value *value) {
  Type *type = value->getType();
  if (type->isPointerTy())
    return builder.CreatePtrToInt(value, word_);
  const unsigned bits = layout_.getTypeSizeInBits(type).getFixedValue();
  if (!type->isIntegerTy())
    value = builder.CreateBitCast(value, builder.getIntNTy(bits));
  return builder.CreateZExtOrTrunc(value, word_);
}

Value *Instrumenter::fromWord(IRBuilder<> &builder, Value *word, Type *type) {
  if (type->isPointerTy())
    return builder.CreateIntToPtr(word, type);
  const unsigned bits = layout_.getTypeSizeInBits(type).getFixedValue();
  return builder.CreateBitCast(builder.CreateZExtOrTrunc(word, builder.getIntNTy(bits)), type);
}

Site &Instrumenter::newSite(const Instruction &instruction) {
  Site &site = sites_.emplace_back();
  site.kernel = instruction.getFunction()->getName();
  site.number = static_cast<uint32_t>(sites_.size() - 1);
  raw_string_ostream text(site.text);
  if (const auto *call = dyn_cast<CallBase>(&instruction); call && call->getCalledFunction())
    text << call->getCalledFunction()->getName();
  else if (const auto *call = dyn_cast<CallBase>(&instruction); call && call->isInlineAsm())
    text << (call->getType()->isStructTy() && call->arg_size() > cast<StructType>(call->getType())->getNumElements()
                 ? "wgmma.mma_async"
                 : "wgmma.wait_group");
  else
    text << instruction.getOpcodeName();
  if (const auto *store = dyn_cast<StoreInst>(&instruction))
    text << ' ' << *store->getValueOperand()->getType();
  else if (!isa<CallBase>(instruction))
    text << ' ' << *instruction.getType();
  text << " (instruction " << number_ << ")";
  if (const DebugLoc &location = instruction.getDebugLoc())
    text << " at line " << location.getLine();
  return site;
}

static Space spaceOf(const Value *address) {
  const unsigned space = address->getType()->getPointerAddressSpace();
  return space == kShared ? Space::Shared : space == kGlobal ? Space::Global : Space::Generic;
}

/// The number of the kernel's parameter that an address is derived from; -1: of none.
static int32_t operandOf(const Value *address) {
  const auto *argument = dyn_cast<Argument>(getUnderlyingObject(address, /*MaxLookup=*/0));
  return argument && isKernel(*argument->getParent()) ? static_cast<int32_t>(argument->getArgNo()) : -1;
}

void Instrumenter::access(Instruction &instruction, Value *address, Type *type, Align align, bool writes, bool atomic) {
  Site &site = newSite(instruction);
  site.bytes = static_cast<uint32_t>(layout_.getTypeStoreSize(type).getFixedValue());
  site.align = static_cast<uint32_t>(align.value());
  site.space = spaceOf(address);
  site.writes = writes;
  site.atomic = atomic;
  const Value *object = getUnderlyingObject(address, /*MaxLookup=*/0);
  site.operand = operandOf(address);
  // How finely accesses are told apart: as finely as anything accesses what may be that memory.
  unsigned unit = std::min<unsigned>({4, static_cast<unsigned>(site.align), site.bytes});
  if (site.bytes % unit != 0)
    unit = 1;
  if (site.space == Space::Shared || (site.space == Space::Generic && !isa<Argument, AllocaInst>(object)))
    granule_ = std::min(granule_, unit);
  if (site.space != Space::Shared && !isa<AllocaInst>(object))
    globalGranule_ = std::min(globalGranule_, unit);
  IRBuilder<> builder(&instruction);
  callHost(builder, &checkAccess, {thread_, hostAddress(&site), builder.CreatePtrToInt(address, word_)});
}

Error Instrumenter::operation(CallBase &call, const Operation &operation) {
  Site &site = newSite(call);
  site.operation = operation;
  usesAsyncProxy_ |= operation.isAsync;
  IRBuilder<> builder(&call);
  uint64_t count = 0;
  for (Value *argument : call.args()) {
    if (argument->getType()->isMetadataTy())
      return refuse(call, "an operand of '" + call.getCalledFunction()->getName() + "' is not a value");
    if (argument->getType()->isPointerTy() && spaceOf(argument) != Space::Shared && !operation.isAsync)
      site.operand = operandOf(argument);
    Value *place = builder.CreateConstGEP1_64(word_, arguments_, count++);
    builder.CreateStore(toWord(builder, argument), place);
  }
  words_ = std::max(words_, count);
  callHost(builder, &callHandler, {thread_, hostAddress(&site), arguments_, results_});
  Type *type = call.getType();
  auto result = [&](uint64_t index, Type *of) {
    return fromWord(builder, builder.CreateLoad(word_, builder.CreateConstGEP1_64(word_, results_, index)), of);
  };
  if (auto *structure = dyn_cast<StructType>(type)) {
    Value *all = PoisonValue::get(structure);
    for (unsigned i = 0; i < structure->getNumElements(); ++i)
      all = builder.CreateInsertValue(all, result(i, structure->getElementType(i)), i);
    words_ = std::max<uint64_t>(words_, structure->getNumElements());
    call.replaceAllUsesWith(all);
  } else if (!type->isVoidTy()) {
    call.replaceAllUsesWith(result(0, type));
  }
  call.eraseFromParent();
  return Error::success();
}

Error Instrumenter::call(CallBase &call) {
  IRBuilder<> builder(&call);
  if (call.isInlineAsm()) {
    if (std::optional<Operation> known =
            findAssembly(cast<InlineAsm>(call.getCalledOperand())->getAsmString(), call.arg_size()))
      return operation(call, *known);
    return refuse(call, "the emulator does not know the inline assembly '" +
                            cast<InlineAsm>(call.getCalledOperand())->getAsmString() + "'");
  }
  Function *callee = call.getCalledFunction();
  if (!callee)
    return refuse(call, "the emulator calls no functions by their address");
  if (auto *transfer = dyn_cast<AnyMemTransferInst>(&call)) {
    for (const bool writes : {false, true}) {
      Value *address = writes ? transfer->getRawDest() : transfer->getRawSource();
      Site &site = newSite(call);
      site.align = (writes ? transfer->getDestAlign() : transfer->getSourceAlign()).valueOrOne().value();
      site.space = spaceOf(address);
      site.operand = operandOf(address);
      site.writes = writes;
      granule_ = globalGranule_ = 1;
      callHost(builder, &checkRange,
               {thread_, hostAddress(&site), builder.CreatePtrToInt(address, word_),
                builder.CreateZExt(transfer->getLength(), word_)});
    }
    return Error::success();
  }
  if (auto *set = dyn_cast<AnyMemSetInst>(&call)) {
    Site &site = newSite(call);
    site.align = set->getDestAlign().valueOrOne().value();
    site.space = spaceOf(set->getRawDest());
    site.operand = operandOf(set->getRawDest());
    site.writes = true;
    granule_ = globalGranule_ = 1;
    callHost(builder, &checkRange,
             {thread_, hostAddress(&site), builder.CreatePtrToInt(set->getRawDest(), word_),
              builder.CreateZExt(set->getLength(), word_)});
    return Error::success();
  }
  StringRef name = callee->getName();
  if (!name.starts_with("llvm.nvvm.")) {
    if (callee->isDeclaration() && !callee->isIntrinsic())
      return refuse(call, "calls '" + name + "', which the module does not define");
    // Functions of the host have no calling convention of the device's.
    call.setCallingConv(CallingConv::C);
    return Error::success();
  }
  if (std::optional<size_t> offset = registerOffset(name)) {
    Value *place = builder.CreateConstGEP1_64(builder.getInt8Ty(), thread_, *offset);
    call.replaceAllUsesWith(builder.CreateZExtOrTrunc(builder.CreateLoad(builder.getInt32Ty(), place), call.getType()));
    call.eraseFromParent();
    return Error::success();
  }
  // Overloaded by the space of a pointer, which the operand says too, or by f32, which all arithmetic here is of.
  const StringRef base = Intrinsic::getBaseName(callee->getIntrinsicID());
  const StringRef suffix = name.drop_front(base.size());
  if (suffix.empty() || suffix.starts_with(".p") || suffix == ".f32")
    if (std::optional<Operation> known = findOperation(base))
      return operation(call, *known);
  return refuse(call, "the emulator does not know the operation '" + name + "'");
}

Error Instrumenter::instruction(Instruction &instruction) {
  ++number_;
  if (auto *load = dyn_cast<LoadInst>(&instruction))
    access(*load, load->getPointerOperand(), load->getType(), load->getAlign(), false);
  else if (auto *store = dyn_cast<StoreInst>(&instruction))
    access(*store, store->getPointerOperand(), store->getValueOperand()->getType(), store->getAlign(), true);
  else if (auto *update = dyn_cast<AtomicRMWInst>(&instruction))
    access(*update, update->getPointerOperand(), update->getType(), update->getAlign(), true, true);
  else if (auto *exchange = dyn_cast<AtomicCmpXchgInst>(&instruction))
    access(*exchange, exchange->getPointerOperand(), exchange->getNewValOperand()->getType(), exchange->getAlign(),
           true, true);
  else if (auto *call = dyn_cast<CallBase>(&instruction))
    return this->call(*call);
  return Error::success();
}

Error Instrumenter::function(Function &function) {
  number_ = 0;
  words_ = 1;
  SmallVector<Instruction *> all;
  for (Instruction &instruction : instructions(function))
    all.push_back(&instruction);
  IRBuilder<> builder(&*function.getEntryBlock().getFirstInsertionPt());
  auto *type = FunctionType::get(pointer_, {}, false);
  CallInst *thread = builder.CreateCall(type, hostAddress(reinterpret_cast<const void *>(&currentThread)));
  thread->setDoesNotThrow();
  thread_ = thread;
  Value *base =
      builder.CreateLoad(pointer_, builder.CreateConstGEP1_64(builder.getInt8Ty(), thread_, offsetof(Thread, shared)));
  sharedBase_ = builder.CreateAddrSpaceCast(base, PointerType::get(context_, kShared));
  // The size becomes known below.
  arguments_ = builder.CreateAlloca(word_, builder.getInt64(1), "arguments");
  results_ = builder.CreateAlloca(word_, builder.getInt64(1), "results");

  for (Instruction *instruction : all)
    for (Use &use : instruction->operands())
      // In the entry block, which all others come after: an operand may be one of a phi.
      if (auto *variable = dyn_cast<GlobalVariable>(use.get()); variable && shared_.contains(variable))
        use.set(builder.CreateConstGEP1_64(builder.getInt8Ty(), sharedBase_, shared_[variable]));
  if (Error error = readSums(all))
    return error;
  for (Instruction *instruction : all)
    if (Error error = this->instruction(*instruction))
      return error;
  arguments_->setOperand(0, builder.getInt64(words_));
  results_->setOperand(0, builder.getInt64(words_));
  return Error::success();
}

// The sums of products of warpgroups are marks wherever they only go on to other products (Warpgroups.h); whoever
// computes with them asks for their values.
Error Instrumenter::readSums(ArrayRef<Instruction *> all) {
  auto isProduct = [](const Value *value) {
    const auto *call = dyn_cast<CallBase>(value);
    return call && call->isInlineAsm();
  };
  SmallVector<Instruction *> work;
  DenseSet<Instruction *> marks;
  for (Instruction *instruction : all)
    if (isProduct(instruction) && marks.insert(instruction).second)
      work.push_back(instruction);
  SmallVector<Use *> readers;
  while (!work.empty()) {
    Instruction *mark = work.pop_back_val();
    for (Use &use : mark->uses()) {
      auto *user = cast<Instruction>(use.getUser());
      if (isa<PHINode, ExtractValueInst, InsertValueInst, SelectInst, FreezeInst>(user)) {
        if (marks.insert(user).second)
          work.push_back(user);
      } else if (!isProduct(user)) {
        readers.push_back(&use);
      }
    }
  }
  for (Use *use : readers) {
    auto *user = cast<Instruction>(use->getUser());
    if (!use->get()->getType()->isFloatTy())
      return refuse(*user, "sums of a product of a warpgroup are used as a whole");
    Site &site = newSite(*user);
    IRBuilder<> builder(user);
    callHost(builder, &readSum, {thread_, hostAddress(&site), toWord(builder, use->get()), results_});
    use->set(fromWord(builder, builder.CreateLoad(word_, results_), use->get()->getType()));
  }
  return Error::success();
}

Error Instrumenter::placeShared() {
  SmallVector<Constant *> variables;
  SmallVector<GlobalVariable *> dynamic;
  auto place = [&](GlobalVariable &variable) {
    staticBytes_ = alignTo(staticBytes_, layout_.getPreferredAlign(&variable));
    shared_[&variable] = staticBytes_;
    staticBytes_ += layout_.getTypeAllocSize(variable.getValueType()).getFixedValue();
  };
  for (GlobalVariable &variable : module_.globals()) {
    if (variable.getAddressSpace() != kShared)
      continue;
    if (variable.hasInitializer() && !isa<UndefValue>(variable.getInitializer()))
      return createStringError("the variable '" + variable.getName() + "' in shared memory has an initializer");
    variables.push_back(&variable);
    if (variable.isDeclaration())
      dynamic.push_back(&variable);
    else
      place(variable);
  }
  // The launch's memory begins behind the kernels' own, and all names for it are for the same bytes.
  const uint64_t own = staticBytes_;
  uint64_t begin = own;
  for (GlobalVariable *variable : dynamic)
    begin = std::max(begin, alignTo(own, layout_.getPreferredAlign(variable)));
  for (GlobalVariable *variable : dynamic)
    shared_[variable] = begin;
  staticBytes_ = begin;
  convertUsersOfConstantsToInstructions(variables);
  return Error::success();
}

/// void NAME.entry(ptr parameters): calls the kernel with what the parameters' addresses lead to.
Error Instrumenter::entry(Function &function, Instrumented &result) {
  Kernel kernel;
  kernel.name = function.getName();
  kernel.staticSharedBytes = static_cast<uint32_t>(staticBytes_);
  auto numbers = [&](StringRef name) {
    SmallVector<StringRef> texts;
    SmallVector<uint64_t> values;
    function.getFnAttribute(name).getValueAsString().split(texts, ',', -1, /*KeepEmpty=*/false);
    for (StringRef text : texts)
      if (text.trim().getAsInteger(10, values.emplace_back()))
        values.back() = 0;
    return values;
  };
  for (auto [axis, extent] : enumerate(numbers("nvvm.reqntid")))
    kernel.requiredThreads[axis] = static_cast<uint32_t>(extent);
  uint64_t most = 1;
  for (uint64_t extent : numbers("nvvm.maxntid"))
    most *= extent;
  if (function.hasFnAttribute("nvvm.maxntid"))
    kernel.maxThreads = static_cast<uint32_t>(std::min<uint64_t>(kernel.maxThreads, most));
  for (uint64_t bytes : numbers(kOperandBytes))
    kernel.operandBytes.push_back(bytes);
  if (!kernel.operandBytes.empty() && function.arg_size() < 2 * kernel.operandBytes.size() + 1)
    return createStringError("function '" + kernel.name + "': has fewer parameters than its operands need");
  auto *type = FunctionType::get(Type::getVoidTy(context_), {pointer_}, false);
  Function *wrapper = Function::Create(type, GlobalValue::ExternalLinkage, entryName(kernel.name), module_);
  IRBuilder<> builder(BasicBlock::Create(context_, "", wrapper));
  SmallVector<Value *> arguments;
  for (Argument &argument : function.args()) {
    Value *place =
        builder.CreateLoad(pointer_, builder.CreateConstGEP1_64(pointer_, wrapper->getArg(0), arguments.size()));
    Type *memory = argument.getParamByValType() ? argument.getParamByValType() : argument.getType();
    Parameter &parameter = kernel.parameters.emplace_back();
    parameter.bytes = static_cast<uint32_t>(layout_.getTypeAllocSize(memory).getFixedValue());
    parameter.isPointer = argument.getType()->isPointerTy() && !argument.hasByValAttr();
    parameter.align = static_cast<uint32_t>(argument.getParamAlign().valueOrOne().value());
    parameter.isReadOnly = argument.onlyReadsMemory();
    parameter.isNoAlias = argument.hasNoAliasAttr();
    arguments.push_back(argument.getParamByValType() ? place : builder.CreateLoad(argument.getType(), place));
    argument.removeAttr(Attribute::ByVal);
  }
  builder.CreateCall(function.getFunctionType(), &function, arguments);
  builder.CreateRetVoid();
  result.kernels.push_back(std::move(kernel));
  return Error::success();
}

Expected<Instrumented> Instrumenter::run() {
  if (Error error = placeShared())
    return error;
  Instrumented result;
  SmallVector<Function *> kernels, defined;
  for (Function &function : module_)
    if (!function.isDeclaration()) {
      defined.push_back(&function);
      if (isKernel(function))
        kernels.push_back(&function);
    }
  for (Function *function : defined) {
    if (Error error = this->function(*function))
      return error;
    function->removeFnAttr("target-cpu");
    function->removeFnAttr("target-features");
    function->setComdat(nullptr);
  }
  for (Function *function : defined)
    function->setCallingConv(CallingConv::C);
  for (Function *function : kernels)
    if (Error error = entry(*function, result))
      return error;
  for (Kernel &kernel : result.kernels) {
    kernel.sharedGranule = granule_;
    kernel.globalGranule = globalGranule_;
    kernel.usesAsyncProxy = usesAsyncProxy_;
  }
  for (const auto &[variable, offset] : shared_)
    variable->eraseFromParent();
  for (GlobalVariable &variable : module_.globals()) {
    if (variable.isDeclaration())
      return createStringError("the variable '" + variable.getName() + "' has no value");
    variable.setLinkage(GlobalValue::ExternalLinkage);
    variable.setComdat(nullptr);
    if (!variable.hasName())
      variable.setName("variable");
    result.variables.emplace_back(variable.getName(),
                                  layout_.getTypeAllocSize(variable.getValueType()).getFixedValue());
  }
  return result;
}
} // namespace

Expected<Instrumented> instrument(Module &module, std::deque<Site> &sites) { return Instrumenter(module, sites).run(); }

} // namespace cnn::cuda::emulator
