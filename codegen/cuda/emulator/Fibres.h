// Stacks that device threads run on, and the switch from one to another. A switch saves what a C function has to
// preserve on x86-64 and nothing else: kernels change neither the rounding mode nor signal masks.
#pragma once

#include <cstddef>

namespace cnn::cuda::emulator {

/// Stacks of the same size, each with an inaccessible page below it. Memory is taken when a stack is first used.
class Stacks {
public:
  static constexpr size_t kBytes = size_t(256) << 10;

  Stacks() = default;
  Stacks(const Stacks &) = delete;
  Stacks &operator=(const Stacks &) = delete;
  ~Stacks();

  /// Makes room for `count` stacks; false when there is no memory. Loses what is on the stacks.
  bool reserve(size_t count);
  /// The lowest address of a stack, which has kBytes from there.
  char *begin(size_t index) const;
  /// Forgets what sanitizers noted about stacks whose functions will not return.
  void abandon() const;

private:
  char *memory_ = nullptr;
  size_t count_ = 0;
};

/// Where a context goes on when it is switched to.
struct Fibre {
  void *stackPointer = nullptr;
  char *stack = nullptr; ///< Null for the stack of the operating system's thread.
  const void *threadStack = nullptr;
  size_t threadStackBytes = 0;
  void *shadowStack = nullptr;
};

/// Prepares `fibre` so that the first switch to it calls `entry`, which must not return, on the given stack.
void prepareFibre(Fibre &fibre, char *stack, size_t colour, void (*entry)());
/// Goes on with `to`; returns when something switches to `from`.
void switchFibre(Fibre &from, Fibre &to);
/// Goes on with `to` for good: nothing may switch to `from` before it is prepared again.
[[noreturn]] void endFibre(Fibre &from, Fibre &to);
/// To be called first in an entry, with what switched to it.
void enterFibre(Fibre &from);

} // namespace cnn::cuda::emulator
