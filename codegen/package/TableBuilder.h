// Tables of emitted code as LLVM constants: structs of 64-bit integers and pointers, as cnn_abi.h and its like declare
// them.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalVariable.h"
#include "llvm/IR/Module.h"

namespace cnn {

class TableBuilder {
public:
  explicit TableBuilder(llvm::Module &module) : module(module), context(module.getContext()) {}

  llvm::Constant *number(int64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getInt64Ty(context), static_cast<uint64_t>(value));
  }
  llvm::Constant *null() { return llvm::ConstantPointerNull::get(llvm::PointerType::getUnqual(context)); }
  llvm::Constant *structure(llvm::ArrayRef<llvm::Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }

  /// A pointer to a constant.
  llvm::Constant *constant(llvm::Constant *value, llvm::MaybeAlign align = {}) {
    auto *global = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                            llvm::GlobalValue::PrivateLinkage, value);
    global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    if (align)
      global->setAlignment(align);
    return global;
  }
  llvm::Constant *text(llvm::StringRef value) { return constant(llvm::ConstantDataArray::getString(context, value)); }
  llvm::Constant *bytes(llvm::ArrayRef<char> value, llvm::MaybeAlign align) {
    return constant(llvm::ConstantDataArray::getRaw(llvm::StringRef(value.data(), value.size()), value.size(),
                                                    llvm::Type::getInt8Ty(context)),
                    align);
  }
  llvm::Constant *array(llvm::ArrayRef<llvm::Constant *> elements) {
    if (elements.empty())
      return null();
    return constant(
        llvm::ConstantArray::get(llvm::ArrayType::get(elements.front()->getType(), elements.size()), elements));
  }
  llvm::Constant *numbers(llvm::ArrayRef<int64_t> values) {
    return array(llvm::map_to_vector(values, [&](int64_t value) { return number(value); }));
  }
  /// Under a name that the runtime knows.
  void define(llvm::StringRef name, llvm::Constant *value) {
    auto *global = new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                            llvm::GlobalValue::ExternalLinkage, value, name);
    global->setDSOLocal(true);
  }

  llvm::Module &module;
  llvm::LLVMContext &context;
};

} // namespace cnn
