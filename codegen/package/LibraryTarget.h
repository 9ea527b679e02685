// What makes the libraries for one kind of machine differ from others': the runtime in them, how kernels get into them,
// and what their headers say besides. Package emission asks the target of a program (Program::target) and knows no
// machine itself.
#pragma once

#include "codegen/package/MachineCode.h"

#include <functional>
#include <memory>
#include <optional>

namespace cnn {

class TableBuilder;

/// Makes one object; `work` is about proportional to the time that it takes.
struct CompileTask {
  size_t work = 0;
  std::function<llvm::Expected<ObjectFile>()> compile;
};

/// Pieces of the texts of a package (Header.cpp); what is empty is left out.
struct LibraryTexts {
  int64_t modelBytes = 0;
  std::string about;                        ///< Lines of the comment at the header's top.
  std::string modelOptions, sessionOptions; ///< Fields behind those that all targets have.
  bool hasStateOption = false;              ///< The session's options have the field of a step's state always.
  std::string modelZeros, sessionZeros;     ///< Their initializers, for compilers that warn: ", 0".
  std::string functions;                    ///< Declarations.
};

class LibraryTarget {
public:
  virtual ~LibraryTarget() = default;

  /// As bitcode; it defines the functions of cnn_api.h.
  virtual llvm::StringRef runtime() const = 0;
  /// Functions of the runtime that libraries export beside those of all targets, without the prefix.
  virtual std::vector<llvm::StringRef> exportedFunctions(bool forTools) const { return {}; }

  /// Adds tables of the kernels of options.variants; the elements of cnn_network::variants, if the runtime has those.
  virtual llvm::Expected<llvm::SmallVector<llvm::Constant *>> addKernels(TableBuilder &tables, const Program &program,
                                                                         const LibraryOptions &options) const = 0;
  /// Adds what compiles kernels that are linked; `program` and `options` live as long as the tasks.
  virtual llvm::Error addKernelTasks(const Program &program, const LibraryOptions &options,
                                     std::vector<CompileTask> &tasks) const {
    return llvm::Error::success();
  }
  /// See cnn::emitKernels.
  virtual llvm::Expected<llvm::SmallVector<char, 0>> emitKernels(const Program &program, size_t variant,
                                                                 CodeStage stage) const = 0;
  /// Whether the function can be the step's kernel.
  virtual bool isKernel(const Step &step, const KernelUse &use, const llvm::Function &function) const = 0;

  /// The variants that a library for this machine needs; of one instruction set or architecture, if it is named.
  virtual llvm::Expected<std::vector<size_t>> variantsHere(const Program &program,
                                                           const std::optional<std::string> &isa) const = 0;
  /// Finds a function of a library that was loaded, without the prefix; null where there is none.
  using FindFunction = llvm::function_ref<void *(const char *name)>;
  /// Is called before anything else of a library for tools.
  virtual void prepare(FindFunction find) const {}
  /// What can be said about an error code beyond its text: begins with a space or is empty. `maxBatch` is 0 unless a
  /// session was to be made.
  virtual std::string detail(const Program &program, FindFunction find, int code, int64_t maxBatch) const { return ""; }

  virtual LibraryTexts texts(const Program &program) const = 0;
};

/// Targets are registered before anything is compiled; again under the same name has no effect.
void registerLibraryTarget(llvm::StringRef name, std::unique_ptr<LibraryTarget> target);
/// Null where none of that name is registered.
const LibraryTarget *findLibraryTarget(llvm::StringRef name);
/// That of a program that was checked (CheckProgram.h).
const LibraryTarget &libraryTarget(const Program &program);

/// CPUs', which is registered from the beginning.
std::unique_ptr<LibraryTarget> createCpuLibraryTarget();

} // namespace cnn
