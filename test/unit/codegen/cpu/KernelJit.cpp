// See KernelJit.h.
#include "test/unit/codegen/cpu/KernelJit.h"

#include "codegen/cpu/ToLLVM.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Transforms/Utils/Cloning.h"

#include <chrono>
#include <cstdlib>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace cnn::cpu {

struct KernelJit::Engine {
  std::unique_ptr<llvm::orc::LLJIT> jit;
  // What assembly() is printed from: emitting code consumes a module.
  std::unique_ptr<llvm::LLVMContext> context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::TargetMachine> machine;
  std::unique_ptr<llvm::Module> code;
};

static void fail(const std::string &message) {
  fprintf(stderr, "%s\n", message.c_str());
  std::abort();
}

template <typename T> static T check(llvm::Expected<T> value) {
  if (!value)
    fail(llvm::toString(value.takeError()));
  return std::move(*value);
}

KernelJit::KernelJit(Isa isa, llvm::function_ref<void(KernelBuilder &)> build) : engine_(std::make_unique<Engine>()) {
  mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
  KernelBuilder builder(module, isa, module.getLoc());
  auto start = std::chrono::steady_clock::now();
  build(builder);
  if (failed(module.verify()))
    fail("the kernel's IR is not valid");
  engine_->machine = check(createTargetMachine(isa));
  std::unique_ptr<llvm::Module> code = toLLVM(module, *engine_->context, isa);
  if (!code)
    fail("the kernel was not lowered");
  optimizeKernels(*code, *engine_->machine);
  engine_->code = llvm::CloneModule(*code);
  auto object = check(emitCode(*code, *engine_->machine, llvm::CodeGenFileType::ObjectFile));
  milliseconds_ = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  codeBytes_ = object.size();
  module->erase();

  engine_->jit = check(llvm::orc::LLJITBuilder().create());
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(object.data(), object.size()), "kernels");
  if (llvm::Error error = engine_->jit->addObjectFile(std::move(buffer)))
    fail(llvm::toString(std::move(error)));
}

KernelJit::~KernelJit() = default;

std::string KernelJit::assembly() const {
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*engine_->code);
  auto text = check(emitCode(*copy, *engine_->machine, llvm::CodeGenFileType::AssemblyFile));
  return std::string(text.begin(), text.end());
}

KernelFunction KernelJit::lookup(llvm::StringRef symbol) const {
  return check(engine_->jit->lookup(symbol)).toPtr<KernelFunction>();
}

int64_t countSpills(const std::string &assembly) {
  int64_t count = 0;
  for (llvm::StringRef rest = assembly; !rest.empty();) {
    auto [line, next] = rest.split('\n');
    if (line.contains("mm") && line.contains("(%rsp)"))
      ++count;
    rest = next;
  }
  return count;
}

Floats::Floats(int64_t size, float value) : size_(size) {
  const int64_t page = sysconf(_SC_PAGESIZE), bytes = (size * 4 + 63) / 64 * 64;
  pageBytes_ = (bytes + page - 1) / page * page + 2 * page;
  void *pages = mmap(nullptr, pageBytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED || mprotect(static_cast<char *>(pages) + page, pageBytes_ - 2 * page, PROT_READ | PROT_WRITE))
    fail("out of memory");
  pages_ = static_cast<char *>(pages);
  data_ = reinterpret_cast<float *>(pages_ + pageBytes_ - page - bytes);
  std::fill_n(data_, size, value);
}

Floats::Floats(Floats &&other)
    : pages_(std::exchange(other.pages_, nullptr)), pageBytes_(other.pageBytes_), data_(other.data_),
      size_(other.size_) {}

Floats::~Floats() {
  if (pages_)
    munmap(pages_, pageBytes_);
}

void runKernel(KernelFunction kernel, const std::vector<char *> &buffers, const std::vector<int64_t> &imageStrides,
               int64_t batch, int64_t units, char *scratch) {
  kernel(buffers.data(), imageStrides.data(), batch, 0, units, scratch);
}

} // namespace cnn::cpu
