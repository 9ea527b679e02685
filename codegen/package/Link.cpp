// See Link.h.
#include "codegen/package/Link.h"

#include "runtime/embedded/cnn_abi.h"

#include "lld/Common/Driver.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <dlfcn.h>
#include <mutex>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

using namespace cnn;
using llvm::ArrayRef;
using llvm::Expected;
using llvm::StringRef;

namespace {

/// lld keeps its state in globals.
llvm::Error runLinker(ArrayRef<std::string> arguments) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<const char *> pointers = {"ld.lld"};
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  std::string output, problems;
  llvm::raw_string_ostream outputStream(output), problemStream(problems);
  lld::Result result = lld::lldMain(pointers, outputStream, problemStream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode == 0)
    return llvm::Error::success();
  return llvm::createStringError("linking failed: " + StringRef(problems).trim().str());
}

/// The C library that this process runs with, for the names and versions of what the runtime calls.
Expected<std::string> libcPath() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&::getpid), &info) || !info.dli_fname)
    return llvm::createStringError("the path of libc.so.6 cannot be found, which shared libraries are linked against");
  return std::string(info.dli_fname);
}

llvm::Error fileError(const std::string &path, std::error_code code) {
  return llvm::createStringError("cannot write '" + path + "': " + code.message());
}

} // namespace

Expected<TemporaryFolder> TemporaryFolder::create() {
  llvm::SmallString<128> path;
  if (std::error_code code = llvm::sys::fs::createUniqueDirectory("cnnc", path))
    return llvm::createStringError("cannot create a temporary folder: " + code.message());
  TemporaryFolder folder;
  folder.folder = path.str().str();
  return folder;
}

TemporaryFolder::~TemporaryFolder() {
  if (!folder.empty())
    (void)llvm::sys::fs::remove_directories(folder);
}

std::string TemporaryFolder::path(StringRef name) const { return folder + "/" + name.str(); }

llvm::Error TemporaryFolder::write(const ObjectFile &object) const {
  std::error_code code;
  llvm::raw_fd_ostream stream(path(object.name), code);
  if (code)
    return fileError(path(object.name), code);
  stream.write(object.bytes.data(), object.bytes.size());
  stream.close();
  if (stream.has_error()) {
    code = stream.error();
    stream.clear_error();
    return fileError(path(object.name), code);
  }
  return llvm::Error::success();
}

static llvm::Error writeAll(const TemporaryFolder &folder, ArrayRef<ObjectFile> objects,
                            std::vector<std::string> &arguments) {
  for (const ObjectFile &object : objects) {
    if (llvm::Error error = folder.write(object))
      return error;
    arguments.push_back(folder.path(object.name));
  }
  return llvm::Error::success();
}

Expected<ObjectFile> cnn::combine(const TemporaryFolder &folder, ArrayRef<ObjectFile> objects, StringRef name,
                                  ArrayRef<std::string> exported) {
  const std::string combined = folder.path("combined.o");
  std::vector<std::string> arguments = {"-r", "-o", combined, "--threads=1"};
  if (llvm::Error error = writeAll(folder, objects, arguments))
    return error;
  if (llvm::Error error = runLinker(arguments))
    return error;

  auto buffer = llvm::MemoryBuffer::getFile(combined, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError("cannot read '" + combined + "': " + buffer.getError().message());
  auto binary = llvm::object::ObjectFile::createObjectFile(**buffer);
  if (!binary)
    return binary.takeError();
  llvm::objcopy::ConfigManager config;
  config.Common.InputFilename = config.Common.OutputFilename = combined;
  for (const std::string &symbol : exported) {
    auto pattern = llvm::objcopy::NameOrPattern::create(symbol, llvm::objcopy::MatchStyle::Literal,
                                                        [](llvm::Error error) { return error; });
    if (!pattern)
      return pattern.takeError();
    if (llvm::Error error = config.Common.SymbolsToKeepGlobal.addMatcher(std::move(pattern)))
      return error;
  }
  ObjectFile result{name.str(), {}};
  llvm::raw_svector_ostream stream(result.bytes);
  if (llvm::Error error = llvm::objcopy::executeObjcopyOnBinary(config, **binary, stream))
    return error;
  return result;
}

llvm::Error cnn::linkShared(const TemporaryFolder &folder, ArrayRef<ObjectFile> objects, StringRef soname,
                            const std::string &output) {
  Expected<std::string> libc = libcPath();
  if (!libc)
    return libc.takeError();
  std::vector<std::string> arguments = {"-shared",
                                        "--no-undefined",
                                        "-Bsymbolic",
                                        "--gc-sections",
                                        "-z",
                                        "relro",
                                        "-z",
                                        "now",
                                        "-z",
                                        "noexecstack",
                                        "-o",
                                        output,
                                        "-soname",
                                        soname.str(),
                                        "--threads=1",
                                        "--hash-style=gnu",
                                        "--build-id=sha1",
                                        "--eh-frame-hdr",
                                        "--as-needed"};
  if (llvm::Error error = writeAll(folder, objects, arguments))
    return error;
  // A program that was linked against one version of the ABI is refused another by the dynamic loader.
  const std::string versions = "CNN_ABI_" + std::to_string(CNN_ABI_VERSION) + " { global: *; };\n";
  ObjectFile script{"versions.map", {versions.begin(), versions.end()}};
  if (llvm::Error error = folder.write(script))
    return error;
  arguments.push_back("--version-script=" + folder.path(script.name));
  arguments.push_back(*libc);
  return runLinker(arguments);
}

Expected<llvm::SmallVector<char, 0>> cnn::archive(const ObjectFile &object) {
  std::vector<llvm::NewArchiveMember> members;
  members.emplace_back(llvm::MemoryBufferRef(StringRef(object.bytes.data(), object.bytes.size()), object.name));
  auto buffer = llvm::writeArchiveToBuffer(members, llvm::SymtabWritingMode::NormalSymtab, llvm::object::Archive::K_GNU,
                                           /*Deterministic=*/true, /*Thin=*/false);
  if (!buffer)
    return buffer.takeError();
  return llvm::SmallVector<char, 0>((*buffer)->getBufferStart(), (*buffer)->getBufferEnd());
}
