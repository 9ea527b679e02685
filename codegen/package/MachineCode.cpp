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

/// What the library of a part is made with.
static LibraryOptions optionsOfPart(const Program &whole, size_t number, const LibraryOptions &options) {
  const Program &part = whole.parts[number];
  LibraryOptions result;
  result.variants.resize(part.variants.size());
  std::iota(result.variants.begin(), result.variants.end(), 0);
  result.weightsHash = options.weightsHash;
  result.partPrefix = "cnn_part_" + part.target + "_";
  result.allWeightsBytes = whole.weightsBytes;
  for (const Program &before : llvm::ArrayRef(whole.parts).take_front(number)) {
    result.partWeights += before.weightsBytes;
    result.partGroups += static_cast<int64_t>(before.groups.size());
  }
  if (!options.weights.empty())
    result.weights =
        options.weights.slice(static_cast<size_t>(result.partWeights), static_cast<size_t>(part.weightsBytes));
  return result;
}

/// The tables, and the kernels.
static llvm::Error addTasks(const Program &program, const LibraryOptions &options, std::vector<CompileTask> &tasks) {
  tasks.push_back({SIZE_MAX, [&program, &options] { return compileTables(program, options); }});
  return libraryTarget(program).addKernelTasks(program, options, tasks);
}

Expected<std::vector<ObjectFile>> cnn::compileLibrary(const Program &program, const LibraryOptions &options) {
  std::vector<CompileTask> tasks;
  std::vector<LibraryOptions> partOptions;
  for (size_t number = 0; number < program.parts.size(); ++number)
    partOptions.push_back(optionsOfPart(program, number, options));
  if (llvm::Error error = addTasks(program, options, tasks))
    return error;
  for (auto [part, itsOptions] : llvm::zip_equal(program.parts, partOptions))
    if (llvm::Error error = addTasks(part, itsOptions, tasks))
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
