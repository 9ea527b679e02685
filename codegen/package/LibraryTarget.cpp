// The registry of targets; LibraryTarget.h has the contract.
#include "codegen/package/LibraryTarget.h"

#include "llvm/ADT/StringMap.h"

using namespace cnn;

static llvm::StringMap<std::unique_ptr<LibraryTarget>> &targets() {
  static auto *known = [] {
    auto *map = new llvm::StringMap<std::unique_ptr<LibraryTarget>>();
    map->try_emplace("cpu", createCpuLibraryTarget());
    return map;
  }();
  return *known;
}

void cnn::registerLibraryTarget(llvm::StringRef name, std::unique_ptr<LibraryTarget> target) {
  targets().try_emplace(name, std::move(target));
}

const LibraryTarget *cnn::findLibraryTarget(llvm::StringRef name) {
  auto found = targets().find(name);
  return found == targets().end() ? nullptr : found->second.get();
}

const LibraryTarget &cnn::libraryTarget(const Program &program) { return *targets().find(program.target)->second; }
