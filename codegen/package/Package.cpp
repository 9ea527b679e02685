// See Package.h.
#include "codegen/package/Package.h"

#include "codegen/package/CheckProgram.h"
#include "codegen/package/Header.h"
#include "codegen/package/Link.h"
#include "codegen/package/MachineCode.h"
#include "codegen/package/Python.h"
#include "codegen/package/Weights.h"
#include "runtime/host/File.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <numeric>

using namespace cnn;
using llvm::Expected;

namespace {

/// Files that appear together: all of them are on the disk before the first gets its name.
class FilesTogether {
public:
  llvm::Error add(const std::string &path, llvm::ArrayRef<char> bytes) {
    auto file = host::AtomicFile::create(path);
    if (!file)
      return llvm::createStringError(file.error().message);
    auto done = file->write(bytes.data(), bytes.size());
    if (done)
      done = file->sync();
    if (!done)
      return llvm::createStringError(done.error().message);
    files.push_back(std::move(*file));
    return llvm::Error::success();
  }
  llvm::Error commit() {
    for (host::AtomicFile &file : files)
      if (auto done = file.commit(); !done)
        return llvm::createStringError(done.error().message);
    return llvm::Error::success();
  }

private:
  std::vector<host::AtomicFile> files;
};

} // namespace

Expected<PackageResult> cnn::writePackage(const Program &program, const PackageOptions &options) {
  if (llvm::Error error = checkProgram(program))
    return error;
  Expected<WeightsImage> weights = collectWeights(program);
  if (!weights)
    return weights.takeError();
  using Weights = PackageOptions::Weights;
  const bool embedded = program.weightsBytes == 0 || options.weights == Weights::Embedded ||
                        (options.weights == Weights::Automatic && program.weightsBytes <= kEmbeddedWeightsLimit);

  LibraryOptions library;
  library.variants.resize(program.variants.size());
  std::iota(library.variants.begin(), library.variants.end(), 0);
  library.weightsHash = weights->hash;
  if (embedded)
    library.weights = weights->bytes();
  Expected<std::vector<ObjectFile>> objects = compileLibrary(program, library);
  if (!objects)
    return objects.takeError();

  Expected<TemporaryFolder> folder = TemporaryFolder::create();
  if (!folder)
    return folder.takeError();
  const std::string shared = "lib" + program.name + ".so";
  Expected<ObjectFile> object =
      combine(*folder, *objects, program.name + ".o", apiSymbols(program, /*forTools=*/false));
  if (!object)
    return object.takeError();
  Expected<llvm::SmallVector<char, 0>> archived = archive(*object);
  if (!archived)
    return archived.takeError();
  if (llvm::Error error = linkShared(*folder, *object, shared, folder->path(shared)))
    return error;
  auto linked = llvm::MemoryBuffer::getFile(folder->path(shared), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!linked)
    return llvm::createStringError("cannot read '" + folder->path(shared) + "': " + linked.getError().message());

  if (std::error_code code =
          llvm::sys::fs::create_directories(options.folder, /*IgnoreExisting=*/true, llvm::sys::fs::all_all))
    return llvm::createStringError("cannot create the folder '" + options.folder + "': " + code.message());
  if (!llvm::sys::fs::is_directory(options.folder))
    return llvm::createStringError("cannot create the folder '" + options.folder + "': there is a file of that name");
  PackageResult result;
  result.weightsHash = weights->hash;
  result.weightsEmbedded = embedded && program.weightsBytes != 0;
  const PackageFacts facts = {weights->hash, result.weightsEmbedded};
  FilesTogether files;
  auto add = [&](const std::string &name, llvm::ArrayRef<char> bytes) {
    result.files.push_back(options.folder + "/" + name);
    return files.add(result.files.back(), bytes);
  };
  auto addText = [&](const std::string &name, const std::string &text) {
    return add(name, llvm::ArrayRef(text.data(), text.size()));
  };
  if (llvm::Error error = addText(program.name + ".h", headerText(program, facts)))
    return error;
  if (llvm::Error error = add("lib" + program.name + ".a", *archived))
    return error;
  if (llvm::Error error = add(shared, llvm::ArrayRef((*linked)->getBufferStart(), (*linked)->getBufferSize())))
    return error;
  if (!embedded)
    if (llvm::Error error = add(program.name + ".weights", llvm::ArrayRef(weights->file.data(), weights->file.size())))
      return error;
  if (llvm::Error error = addText(program.name + ".pc", pkgConfigText(program)))
    return error;
  if (llvm::Error error = addText(program.name + "Config.cmake", cmakeText(program)))
    return error;
  if (llvm::Error error = addText(program.name + "ConfigVersion.cmake", cmakeVersionText(program)))
    return error;
  if (llvm::Error error = addText(program.name + "_smoke_test.c", smokeTestText(program, facts)))
    return error;
  if (options.python) {
    const llvm::ArrayRef<char> library((*linked)->getBufferStart(), (*linked)->getBufferSize());
    std::vector<PackageFile> contents = {{shared, library}};
    if (!embedded)
      contents.push_back({program.name + ".weights", llvm::ArrayRef(weights->file.data(), weights->file.size())});
    if (llvm::Error error = add(wheelName(program, facts), wheel(program, facts, contents)))
      return error;
  }
  if (llvm::Error error = files.commit())
    return error;
  return result;
}
