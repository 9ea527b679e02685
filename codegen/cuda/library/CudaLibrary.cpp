// See CudaLibrary.h.
#include "codegen/cuda/library/CudaLibrary.h"

#include "codegen/cuda/Architecture.h"
#include "codegen/cuda/ToPtx.h"
#include "codegen/cuda/Toolkit.h"
#include "codegen/cuda/emulator/Emulator.h"
#include "codegen/package/TableBuilder.h"
#include "runtime/cuda/cnn_cuda_api.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Support/raw_ostream.h"

#include <fmt/format.h>
#include <thread>

extern "C" const char cnn_cuda_runtime_bitcode[], cnn_cuda_runtime_bitcode_end[];

using namespace cnn;
using namespace cnn::cuda;
using llvm::Constant;
using llvm::Expected;
using llvm::SmallVector;
using llvm::StringRef;

namespace {

/// Of a grid's second and third dimension.
constexpr int64_t kMostBlocksAcross = 65535;

constexpr StringRef kFunctions[] = {"device_bytes", "driver_error"},
                    kToolFunctions[] = {"use_driver", "driver_log", "move_state", "run_again"};

/// What the emitted header says beyond a CPU's.
constexpr const char
    kAbout
        [] = R"(
 *
 * It runs on NVIDIA GPUs, of which a model takes one. The driver, libcuda.so.1, is found when a model is made. Tensors and state may
 * lie in host or in device memory; those in device memory have no gaps within an image and are best aligned to 16 bytes. A call
 * returns when all is done, unless the session has a stream of yours and everything but the hyperparameters is in device memory:
 * then the work follows what is on the stream, and the call does not wait for it. Only a graph of launches is made behind the
 * scenes, when a batch and its tensors come a second time. `threads` and `pool` are not used.)",
  kModelOptions[] = "  int device;               /* the number of the GPU, from 0 on */\n",
  kSessionOptions[] = "  void *stream;         /* NULL: one of its own; a CUstream or cudaStream_t */\n",
  kDeclarations[] =
      R"(/* Bytes of device memory that a session takes for batches up to max_batch, a copy of a state in host memory included; 0 when the
 * argument is out of range. A model takes @UPPER@_WEIGHTS_BYTES. */
size_t @NAME@_device_bytes(int64_t max_batch);

/* The driver's own number (CUresult) of the last error of a GPU, on any thread; 0: there was none. */
int @NAME@_driver_error(void);

)";

struct Image {
  SmallVector<char, 0> bytes;
  bool isBinary = false; ///< Machine code.
};
/// Of a variant, in the order in which the runtime tries them.
using Images = std::vector<Image>;

class CudaLibrary : public LibraryTarget {
public:
  explicit CudaLibrary(cnn_cuda_lookup lookup) : lookup(lookup) {}

  StringRef runtime() const override {
    return {cnn_cuda_runtime_bitcode, static_cast<size_t>(cnn_cuda_runtime_bitcode_end - cnn_cuda_runtime_bitcode)};
  }

  std::vector<StringRef> exportedFunctions(bool forTools) const override {
    std::vector<StringRef> names(std::begin(kFunctions), std::end(kFunctions));
    if (forTools)
      llvm::append_range(names, kToolFunctions);
    return names;
  }

  Expected<SmallVector<Constant *>> addKernels(TableBuilder &tables, const Program &program,
                                               const LibraryOptions &options) const override {
    std::vector<Images> images(options.variants.size());
    if (!options.onlyForKey)
      if (llvm::Error error = makeImages(program, options, images))
        return error;
    SmallVector<Constant *> variants;
    for (auto [index, ofVariant] : llvm::zip_equal(options.variants, images)) {
      const Variant &variant = program.variants[index];
      Expected<const Architecture *> architecture = architectureOf(variant);
      if (!architecture)
        return architecture.takeError();
      auto launches = llvm::map_to_vector(program.steps, [&](const Step &step) {
        const KernelUse &use = step.kernels[index];
        const DeviceLaunch &device = use.device;
        return tables.structure({tables.text(use.symbol), tables.number(use.unitsPerImage),
                                 tables.number(use.fixedUnits), tables.number(device.unitsPerBlock),
                                 tables.number(device.blockThreads), tables.number(device.gridY),
                                 tables.number(device.gridZ), tables.number(device.sharedBytes)});
      });
      auto list = llvm::map_to_vector(ofVariant, [&](const Image &image) {
        return tables.structure({tables.bytes(image.bytes, llvm::Align(16)),
                                 tables.number(static_cast<int64_t>(image.bytes.size())),
                                 tables.number(image.isBinary)});
      });
      variants.push_back(tables.structure({tables.text(variant.name), tables.number((*architecture)->capability),
                                           tables.number((*architecture)->exclusive), tables.array(list),
                                           tables.number(static_cast<int64_t>(list.size())), tables.array(launches)}));
    }
    const auto count = static_cast<int64_t>(variants.size());
    tables.define("cnn_this_cuda_program", tables.structure({tables.number(count), tables.array(variants)}));
    return SmallVector<Constant *>();
  }

  Expected<SmallVector<char, 0>> emitKernels(const Program &program, size_t variant, CodeStage stage) const override {
    if (stage == CodeStage::Object)
      return llvm::createStringError("kernels for a GPU are no object file; their assembly is PTX");
    const Variant &source = program.variants[variant];
    if (stage == CodeStage::Assembly)
      return ptxOf(source);
    SmallVector<char, 0> text;
    llvm::raw_svector_ostream stream(text);
    source.module->print(stream, nullptr);
    return text;
  }

  bool isKernel(const Step &step, const KernelUse &use, const llvm::Function &function) const override {
    auto isIn = [](int64_t value, int64_t least, int64_t most) { return value >= least && value <= most; };
    const DeviceLaunch &device = use.device;
    return function.arg_size() == 2 * step.operands.size() + 2 && device.unitsPerBlock > 0 &&
           isIn(device.blockThreads, 1, kThreadsPerBlock) && isIn(device.gridY, 1, kMostBlocksAcross) &&
           isIn(device.gridZ, 1, kMostBlocksAcross) && device.sharedBytes >= 0;
  }

  Expected<std::vector<size_t>> variantsHere(const Program &program,
                                             const std::optional<std::string> &isa) const override {
    std::vector<size_t> variants;
    for (auto [index, variant] : llvm::enumerate(program.variants))
      if (!isa || *isa == variant.name)
        variants.push_back(index);
    if (variants.empty())
      return llvm::createStringError("there is no code for the architecture '" + isa.value_or("") + "'");
    return variants;
  }

  void prepare(FindFunction find) const override {
    if (auto *use = reinterpret_cast<decltype(&cnn_api_use_driver)>(find("use_driver")))
      use(lookup);
  }

  std::string detail(const Program &program, FindFunction find, int code, int64_t maxBatch) const override {
    if (code < CNN_ERROR_DRIVER_MISSING || code > CNN_ERROR_DEVICE)
      return "";
    std::string text;
    auto *bytes = reinterpret_cast<decltype(&cnn_api_device_bytes)>(find("device_bytes"));
    if (code == CNN_ERROR_DEVICE_MEMORY && maxBatch && bytes)
      text += fmt::format("; a session for batches of {} needs {} bytes", maxBatch, bytes(maxBatch));
    // The first values of a state stay on the host.
    if (code == CNN_ERROR_DEVICE_MEMORY && !maxBatch && program.weightsBytes)
      text += fmt::format("; the weights need {} bytes",
                          program.initialState >= 0 ? program.initialState : program.weightsBytes);
    auto *number = reinterpret_cast<decltype(&cnn_api_driver_error)>(find("driver_error"));
    if (number && number())
      text += fmt::format(" (the driver's error {})", number());
    auto *log = reinterpret_cast<decltype(&cnn_api_driver_log)>(find("driver_log"));
    if (code == CNN_ERROR_DEVICE_CODE && log && *log())
      text += fmt::format(": {}", log());
    return text;
  }

  LibraryTexts texts(const Program &program) const override {
    LibraryTexts texts;
    texts.modelBytes = CNN_CUDA_MODEL_BYTES(static_cast<int64_t>(program.steps.size()));
    texts.about = kAbout;
    texts.modelOptions = kModelOptions;
    texts.sessionOptions = kSessionOptions;
    texts.hasStateOption = true;
    texts.modelZeros = ", 0";
    texts.sessionZeros = ", NULL";
    texts.functions = kDeclarations;
    return texts;
  }

protected:
  static Expected<const Architecture *> architectureOf(const Variant &variant) {
    if (const Architecture *architecture = findArchitecture(variant.name))
      return architecture;
    return llvm::createStringError("unknown architecture '" + variant.name + "'");
  }

  static Expected<SmallVector<char, 0>> ptxOf(const Variant &variant) {
    Expected<const Architecture *> architecture = architectureOf(variant);
    if (!architecture)
      return architecture.takeError();
    Expected<std::string> text = toPtx(*variant.module, **architecture);
    if (!text)
      return text.takeError();
    return SmallVector<char, 0>(text->begin(), text->end());
  }

  /// Libraries to be shipped have machine code before the PTX, where there is a ptxas: the driver need not make it.
  virtual Expected<Images> imagesOf(const Variant &variant, bool forTools) const {
    Expected<SmallVector<char, 0>> ptx = ptxOf(variant);
    if (!ptx)
      return ptx.takeError();
    Images images;
    if (!forTools && findTool("ptxas")) {
      Expected<Assembled> assembled = assemble(StringRef(ptx->data(), ptx->size()), *findArchitecture(variant.name));
      if (!assembled)
        return assembled.takeError();
      images.push_back({SmallVector<char, 0>(assembled->cubin), true});
    }
    ptx->push_back('\0');
    images.push_back({std::move(*ptx), false});
    return images;
  }

private:
  /// A thread each: every variant has a context of its own.
  llvm::Error makeImages(const Program &program, const LibraryOptions &options, std::vector<Images> &images) const {
    std::vector<std::string> failures(images.size());
    auto make = [&](size_t number) {
      Expected<Images> made = imagesOf(program.variants[options.variants[number]], options.forTools);
      if (made)
        images[number] = std::move(*made);
      else
        failures[number] = llvm::toString(made.takeError());
    };
    // The first one fills LLVM's registry of targets.
    std::vector<std::thread> threads;
    for (size_t number = 0; number < images.size(); ++number)
      if (number == 0)
        make(number);
      else
        threads.emplace_back(make, number);
    for (std::thread &thread : threads)
      thread.join();
    for (const std::string &failure : failures)
      if (!failure.empty())
        return llvm::createStringError(failure);
    return llvm::Error::success();
  }

  cnn_cuda_lookup lookup;
};

class EmulatedLibrary : public CudaLibrary {
public:
  EmulatedLibrary() : CudaLibrary(emulatedDriverEntry) {}

  std::string detail(const Program &program, FindFunction find, int code, int64_t maxBatch) const override {
    const std::string fault = takeEmulatorFault();
    return CudaLibrary::detail(program, find, code, maxBatch) + (fault.empty() ? "" : ": " + fault);
  }

protected:
  Expected<Images> imagesOf(const Variant &variant, bool) const override {
    Image bitcode;
    llvm::raw_svector_ostream stream(bitcode.bytes);
    llvm::WriteBitcodeToFile(*variant.module, stream);
    Images images;
    images.push_back(std::move(bitcode));
    return images;
  }
};

} // namespace

std::unique_ptr<LibraryTarget> cuda::createLibraryTarget(cnn_cuda_lookup lookup) {
  return std::make_unique<CudaLibrary>(lookup);
}

std::unique_ptr<LibraryTarget> cuda::createEmulatedLibraryTarget() { return std::make_unique<EmulatedLibrary>(); }

void cuda::registerLibraryTargets() {
  registerLibraryTarget("cuda", createLibraryTarget());
  registerLibraryTarget("cuda-emulated", createEmulatedLibraryTarget());
  registerLibraryTarget(kFrontTarget, createFrontLibraryTarget());
}
