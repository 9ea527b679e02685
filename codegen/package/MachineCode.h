// Kernels and tables to objects, compiled on several threads.
#pragma once

#include "codegen/Program.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/CodeGen.h"

namespace cnn {

struct ObjectFile {
  std::string name; ///< Without a folder: "avx512-0.o".
  llvm::SmallVector<char, 0> bytes;
};

/// What kernels are called outside their module: unique among the variants of a library, and readable in a profile.
std::string kernelSymbol(const Program &program, const Variant &variant, llvm::StringRef symbol);

/// What a library has besides kernels: the runtime, tables and, when `weights` are given, those.
struct LibraryOptions {
  std::vector<size_t> variants; ///< Indices of those that the library has.
  uint64_t weightsHash = 0;
  llvm::ArrayRef<char> weights; ///< Put into the library unless empty.
  bool forTools = false;        ///< Export NAME_run_observed and NAME_resolve as well.
  /// Tables whose kernels were not compiled stand for those that were, but are made much faster.
  bool onlyForKey = false;
  /// Of a part of a library: what begins the names of its functions instead of the network's, where its weights begin
  /// among those of all, how many bytes those are, and the number of its first group. Empty: it is a library of its
  /// own.
  std::string partPrefix;
  int64_t partWeights = 0, allWeightsBytes = 0, partGroups = 0;
};

/// All objects of a library: the variants' kernels, and runtime and tables. All symbols but the API's are hidden.
llvm::Expected<std::vector<ObjectFile>> compileLibrary(const Program &program, const LibraryOptions &options);

/// What is not kernels: the runtime with the program's tables (Tables.cpp).
llvm::Expected<std::unique_ptr<llvm::Module>> buildTables(const Program &program, const LibraryOptions &options,
                                                          llvm::LLVMContext &context);
llvm::Expected<ObjectFile> compileTables(const Program &program, const LibraryOptions &options);

/// The names of the functions that the library exports: NAME_model_bytes and so on.
std::vector<std::string> apiSymbols(const Program &program, bool forTools);

enum class CodeStage { LlvmIr, Assembly, Object };

/// One variant's kernels as text (or the bytes of one object), optimized as they are in the library.
llvm::Expected<llvm::SmallVector<char, 0>> emitKernels(const Program &program, size_t variant, CodeStage stage);

} // namespace cnn
