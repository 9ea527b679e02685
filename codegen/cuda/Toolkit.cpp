// See Toolkit.h.
#include "codegen/cuda/Toolkit.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using llvm::StringRef;
namespace cnn::cuda {

std::optional<std::string> findTool(StringRef name) {
  if (auto path = llvm::sys::findProgramByName(name))
    return *path;
  llvm::SmallVector<std::string> folders = {"/usr/local/cuda/bin"};
  if (const char *home = std::getenv("CUDA_HOME"))
    folders.insert(folders.begin(), std::string(home) + "/bin");
  for (const std::string &folder : folders)
    if (auto path = llvm::sys::findProgramByName(name, {StringRef(folder)}))
      return *path;
  return std::nullopt;
}

namespace {

/// A temporary file that goes when this does.
class Temporary {
public:
  explicit Temporary(StringRef suffix) : error(llvm::sys::fs::createTemporaryFile("cnnc", suffix, path)) {}
  ~Temporary() {
    if (!error)
      llvm::sys::fs::remove(path);
  }
  Temporary(const Temporary &) = delete;
  Temporary &operator=(const Temporary &) = delete;

  llvm::SmallString<128> path;
  std::error_code error;
};

llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> read(const Temporary &file) {
  auto buffer = llvm::MemoryBuffer::getFile(file.path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read '" + file.path.str() + "': " + buffer.getError().message());
  return std::move(*buffer);
}

/// Runs one of the programs with `input` in a file, which `arguments` get the name of; what it says on both its
/// outputs.
llvm::Expected<std::string> runTool(StringRef name, llvm::ArrayRef<char> input,
                                    llvm::function_ref<llvm::SmallVector<StringRef>(StringRef file)> arguments) {
  std::optional<std::string> program = findTool(name);
  if (!program)
    return llvm::createStringError("there is no " + name + " on this machine: it is a part of the CUDA Toolkit");
  Temporary file("in"), said("out");
  if (file.error || said.error)
    return llvm::createStringError("cannot make a temporary file");
  {
    std::error_code code;
    llvm::raw_fd_ostream stream(file.path, code);
    stream.write(input.data(), input.size());
    stream.close();
    if (code || stream.has_error()) {
      stream.clear_error();
      return llvm::createStringError("cannot write '" + file.path.str() + "'");
    }
  }
  llvm::SmallVector<StringRef> words = {*program};
  words.append(arguments(file.path));
  std::string message;
  int code = llvm::sys::ExecuteAndWait(*program, words, std::nullopt, {StringRef(), said.path.str(), said.path.str()},
                                       /*SecondsToWait=*/0, /*MemoryLimit=*/0, &message);
  auto text = read(said);
  if (!text)
    return text.takeError();
  if (code)
    return llvm::createStringError(name + " refuses: " + (message.empty() ? (*text)->getBuffer().trim() : message));
  return (*text)->getBuffer().str();
}

int64_t numberBefore(StringRef line, const char *words) {
  llvm::SmallVector<StringRef> found;
  int64_t number = 0;
  if (llvm::Regex((llvm::Twine("([0-9]+) ") + words).str()).match(line, &found))
    found[1].getAsInteger(10, number);
  return number;
}

} // namespace

llvm::Expected<Assembled> assemble(StringRef ptx, const Architecture &architecture) {
  Temporary output("cubin");
  if (output.error)
    return llvm::createStringError("cannot make a temporary file");
  const std::string option = "-arch=" + architecture.name.str();
  auto said = runTool("ptxas", llvm::ArrayRef(ptx.data(), ptx.size()), [&](StringRef file) {
    return llvm::SmallVector<StringRef>{option, "-v", "-o", output.path, file};
  });
  if (!said)
    return said.takeError();
  auto cubin = read(output);
  if (!cubin)
    return cubin.takeError();
  Assembled result;
  result.cubin.assign((*cubin)->getBufferStart(), (*cubin)->getBufferEnd());
  // "Compiling entry function 'NAME' for 'sm_80'", and then what it takes on lines of its own.
  KernelResources *kernel = nullptr;
  for (StringRef line : llvm::split(*said, '\n')) {
    if (auto [before, after] = line.split("Compiling entry function '"); !after.empty())
      kernel = &result.kernels[after.split('\'').first];
    if (!kernel)
      continue;
    if (line.contains("bytes stack frame")) {
      kernel->stackBytes = numberBefore(line, "bytes stack frame");
      kernel->spillBytes = numberBefore(line, "bytes spill stores");
    }
    if (line.contains("registers"))
      kernel->registers = numberBefore(line, "registers");
  }
  return result;
}

llvm::Expected<std::string> disassemble(llvm::ArrayRef<char> cubin) {
  return runTool("nvdisasm", cubin, [](StringRef file) { return llvm::SmallVector<StringRef>{"-c", file}; });
}

} // namespace cnn::cuda
