// Libraries with code for CPUs and for CUDA devices: the front, which has no kernels. Its parts are libraries of their
// own targets.
#include "codegen/cuda/library/CudaLibrary.h"
#include "runtime/front/cnn_front_api.h"

using namespace cnn;
using llvm::Expected;
using llvm::SmallVector;
using llvm::StringRef;

extern "C" const char cnn_front_runtime_bitcode[], cnn_front_runtime_bitcode_end[];

namespace {

/// What the emitted header says beyond a CUDA library's.
constexpr const char kAbout[] = R"(
 *
 * It has code for CPUs, too. A model takes the GPU where there is one that the library can use, and else the CPU; `target` or the
 * environment variable CNN_TARGET (cpu, cuda) decides otherwise. On the CPU all memory is the host's, `threads` and `pool` count,
 * and `device` and `stream` do not. Packed weights are there twice, and groups are counted one target after the other.)",
                     kModelOptions[] = "  int target;               /* one of the targets below */\n",
                     kDeclarations[] = R"(/* What a model runs on; @NAME@_isa tells what it is. */
enum @NAME@_target {
  @UPPER@_TARGET_ANY = 0, /* what CNN_TARGET says; without it a GPU, or the CPU where the library finds none for it */
  @UPPER@_TARGET_CPU = 1,
  @UPPER@_TARGET_CUDA = 2
};

)";

class FrontLibrary : public LibraryTarget {
public:
  StringRef runtime() const override {
    return {cnn_front_runtime_bitcode, static_cast<size_t>(cnn_front_runtime_bitcode_end - cnn_front_runtime_bitcode)};
  }
  std::vector<StringRef> exportedFunctions(bool) const override {
    return findLibraryTarget("cuda")->exportedFunctions(/*forTools=*/false);
  }
  Expected<SmallVector<llvm::Constant *>> addKernels(TableBuilder &, const Program &,
                                                     const LibraryOptions &) const override {
    return SmallVector<llvm::Constant *>();
  }
  Expected<SmallVector<char, 0>> emitKernels(const Program &, size_t, CodeStage) const override { return none(); }
  bool isKernel(const Step &, const KernelUse &, const llvm::Function &) const override { return false; }
  Expected<std::vector<size_t>> variantsHere(const Program &, const std::optional<std::string> &) const override {
    return none();
  }

  LibraryTexts texts(const Program &program) const override {
    LibraryTexts texts = findLibraryTarget("cuda")->texts(program.parts.back());
    for (const Program &part : program.parts)
      texts.modelBytes = std::max(texts.modelBytes, libraryTarget(part).texts(part).modelBytes);
    texts.about += kAbout;
    texts.modelOptions += kModelOptions;
    texts.modelZeros += ", 0";
    texts.functions = kDeclarations + texts.functions;
    return texts;
  }

private:
  static llvm::Error none() {
    return llvm::createStringError("internal error: a library for several targets is built, not run");
  }
};

} // namespace

std::unique_ptr<LibraryTarget> cuda::createFrontLibraryTarget() { return std::make_unique<FrontLibrary>(); }
