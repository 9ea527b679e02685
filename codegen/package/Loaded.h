// A program in this process: the library that users would get, linked into a temporary folder, loaded, and called
// through its API, with what the tools need besides: timing and tapping of each step.
#pragma once

#include "codegen/Program.h"
#include "codegen/package/CodeCache.h"
#include "codegen/package/HugeMemory.h"
#include "codegen/package/Weights.h"

#include "llvm/ADT/STLExtras.h"

#include <memory>
#include <optional>
#include <string>

namespace cnn {

/// Operand addresses as a step's kernel gets them: image i of operand n is at buffers[n] + i * imageStrides[n].
struct StepView {
  const Step *step = nullptr;
  size_t index = 0; ///< Of the step.
  bool after = false;
  llvm::ArrayRef<char *> buffers;
  llvm::ArrayRef<int64_t> imageStrides;
};
using StepObserver = llvm::function_ref<void(const StepView &)>;

class Loaded;

/// Memory and threads for one run at a time of a program that is loaded; sessions of one program may run at once. It
/// must end before the program.
class LoadedSession {
public:
  LoadedSession(const LoadedSession &) = delete;
  ~LoadedSession();

  /// Runs one batch on dense tensors, in the program's order. The observer is called before and after each step, on
  /// this thread, and may change what it sees.
  llvm::Error run(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                  std::optional<StepObserver> observer = {});

  /// Runs and adds what each group took, in nanoseconds, to `times`, which has one element a group.
  llvm::Error runTimed(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                       llvm::MutableArrayRef<int64_t> times);

  /// The kernels of the last run once more, on what lies on the device, and the nanoseconds that they took there;
  /// nothing where the target's libraries cannot.
  llvm::Expected<std::optional<int64_t>> runAgain(int64_t batch);

  /// Leaves the state on the device between runs, until it is fetched to its block; it may be saved there and restored.
  /// False where it is in the block all the time, and nothing was done.
  llvm::Expected<bool> keepState();
  llvm::Error fetchState();
  llvm::Error saveState();
  llvm::Error restoreState();

  /// Where an operand of a step or group lies during or after a run of `batch` images: the address of image 0 and the
  /// bytes to the next.
  std::pair<char *, int64_t> resolve(const Operand &operand, int64_t batch) const;

private:
  friend Loaded;
  explicit LoadedSession(const Loaded &loaded) : loaded(loaded) {}

  llvm::Error moveState(int move);

  const Loaded &loaded;
  HugeMemory memory;
  bool isOpen = false;
};

class Loaded {
public:
  /// Compiles, links and loads `program` for one of its instruction sets (by name; by default the best that this
  /// machine has) and finds its weights. A library that `cache` has is not compiled again. `program` must live as long.
  static llvm::Expected<std::unique_ptr<Loaded>>
  create(const Program &program, const std::optional<std::string> &isa = {}, const CodeCache *cache = nullptr);
  ~Loaded();

  /// A session in new memory, which is zeros. `state` is the memory of Program::state, stateBytes aligned to 64, which
  /// must live as long and which runs update; null where there is none.
  llvm::Expected<std::unique_ptr<LoadedSession>> newSession(int64_t maxBatch, int threads, void *state = nullptr) const;
  /// Bytes of such a session; 0 when the arguments are out of range.
  size_t sessionBytes(int64_t maxBatch, int threads) const;

  /// Makes the session that run() and resolve() use, in place of an earlier one.
  llvm::Error openSession(int64_t maxBatch, int threads, void *state = nullptr);
  llvm::Error run(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                  std::optional<StepObserver> observer = {});
  llvm::Error runTimed(int64_t batch, llvm::ArrayRef<const void *> inputs, llvm::ArrayRef<void *> outputs,
                       llvm::MutableArrayRef<int64_t> times);
  llvm::Expected<std::optional<int64_t>> runAgain(int64_t batch) { return session->runAgain(batch); }
  std::pair<char *, int64_t> resolve(const Operand &operand, int64_t batch) const {
    return session->resolve(operand, batch);
  }

  const Program &program() const { return source; }
  size_t variant() const { return variantIndex; } ///< Index into Program::variants.
  const std::string &isa() const { return source.variants[variantIndex].name; }
  size_t sessionBytes() const { return session ? session->memory.size() : 0; }

private:
  friend LoadedSession;
  struct Api;
  explicit Loaded(const Program &program);
  llvm::Error build(const LibraryOptions &options, const CodeCache *cache);
  llvm::Error load(const std::string &path);
  /// The address of a function of the library, whose name lacks the prefix; null where there is none.
  void *find(const char *name) const;
  /// `maxBatch` where a session is to be made.
  llvm::Error check(int code, int64_t maxBatch = 0) const;

  const Program &source;
  size_t variantIndex = 0;
  std::unique_ptr<Api> api;
  WeightsImage weights;
  HugeMemory modelMemory;
  bool hasModel = false;
  std::unique_ptr<LoadedSession> session;
};

} // namespace cnn
