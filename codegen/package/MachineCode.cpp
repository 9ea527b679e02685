// See MachineCode.h.
#include "codegen/package/MachineCode.h"

#include "codegen/package/LibraryTarget.h"
#include "runtime/host/Cpus.h"

#include "llvm/ADT/STLExtras.h"

#include <atomic>
#include <numeric>
#include <thread>

using namespace cnn;
using llvm::Expected;
using llvm::SmallVector;

std::string cnn::kernelSymbol(const Program &program, const Variant &variant, llvm::StringRef symbol) {
  return (program.name + "." + symbol + "." + variant.name).str();
}

Expected<std::vector<ObjectFile>> cnn::compileLibrary(const Program &program, const LibraryOptions &options) {
  std::vector<CompileTask> tasks = {{SIZE_MAX, [&] { return compileTables(program, options); }}};
  if (llvm::Error error = libraryTarget(program).addKernelTasks(program, options, tasks))
    return error;
  // The longest first, so that no thread is left with one at the end.
  std::vector<size_t> order(tasks.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) { return std::pair(tasks[b].work, a) < std::pair(tasks[a].work, b); });

  std::vector<ObjectFile> objects(tasks.size());
  std::vector<std::string> failures(tasks.size());
  std::atomic<size_t> next = 0;
  auto work = [&] {
    for (size_t i; (i = next++) < order.size();) {
      Expected<ObjectFile> object = tasks[order[i]].compile();
      if (object)
        objects[order[i]] = std::move(*object);
      else
        failures[order[i]] = llvm::toString(object.takeError());
    }
  };
  size_t count = std::min<size_t>(tasks.size(), static_cast<size_t>(host::usableCpus()));
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i)
    threads.emplace_back(work);
  work();
  for (std::thread &thread : threads)
    thread.join();
  for (const std::string &failure : failures)
    if (!failure.empty())
      return llvm::createStringError(failure);
  return objects;
}

Expected<SmallVector<char, 0>> cnn::emitKernels(const Program &program, size_t variant, CodeStage stage) {
  return libraryTarget(program).emitKernels(program, variant, stage);
}
