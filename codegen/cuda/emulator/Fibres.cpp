// See Fibres.h.
#include "codegen/cuda/emulator/Fibres.h"

#include <cstdint>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CNN_FIBRES_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#endif

#if !defined(__x86_64__)
#error "the emulator switches stacks by x86-64 code"
#endif

#ifdef CNN_FIBRES_ASAN
// A stack of its own for frames that have returned is megabytes a fibre, mapped and freed anew for each emulated
// thread: tests take many times as long. What ASAN_OPTIONS says goes before this.
extern "C" const char *__asan_default_options();
const char *__asan_default_options() { return "detect_stack_use_after_return=0"; }
#endif

extern "C" void cnn_emulator_switch(void **from, void *to);

// The six registers that a callee preserves, and the address to return to.
asm(R"(
  .text
  .type cnn_emulator_switch, @function
cnn_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size cnn_emulator_switch, .-cnn_emulator_switch
)");

namespace cnn::cuda::emulator {

static constexpr size_t kGuard = 4096;

Stacks::~Stacks() {
  if (memory_)
    munmap(memory_, count_ * (kBytes + kGuard));
}

bool Stacks::reserve(size_t count) {
  if (count <= count_)
    return true;
  if (memory_)
    munmap(memory_, count_ * (kBytes + kGuard));
  memory_ = nullptr;
  count_ = 0;
  const size_t bytes = count * (kBytes + kGuard);
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return false;
  memory_ = static_cast<char *>(memory);
  count_ = count;
  for (size_t i = 0; i < count; ++i)
    if (mprotect(memory_ + i * (kBytes + kGuard), kGuard, PROT_NONE) != 0)
      return false;
  return true;
}

char *Stacks::begin(size_t index) const { return memory_ + index * (kBytes + kGuard) + kGuard; }

void Stacks::abandon() const {
#ifdef CNN_FIBRES_ASAN
  for (size_t i = 0; i < count_; ++i)
    __asan_unpoison_memory_region(begin(i), kBytes);
#endif
}

void prepareFibre(Fibre &fibre, char *stack, size_t colour, void (*entry)()) {
  // Stacks begin at different places of a page, so that they do not all compete for the same lines of the cache.
  auto top = reinterpret_cast<uintptr_t>(stack + Stacks::kBytes - 256 - colour % 32 * 192) / 16 * 16;
  auto *words = reinterpret_cast<void **>(top);
  // What `entry` would return to; it makes the stack pointer what the ABI says at a function's begin.
  *--words = nullptr;
  *--words = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; ++i)
    *--words = nullptr;
  fibre = {};
  fibre.stackPointer = static_cast<void *>(words);
  fibre.stack = stack;
}

/// Tells sanitizers of a switch; `shadowStack` gets what they keep of the stack that is left, or, where it is null,
/// they free that.
static void announce([[maybe_unused]] void **shadowStack, [[maybe_unused]] const Fibre &to) {
#ifdef CNN_FIBRES_ASAN
  __sanitizer_start_switch_fiber(shadowStack, to.stack ? to.stack : to.threadStack,
                                 to.stack ? Stacks::kBytes : to.threadStackBytes);
#endif
}

void switchFibre(Fibre &from, Fibre &to) {
  announce(&from.shadowStack, to);
  cnn_emulator_switch(&from.stackPointer, to.stackPointer);
#ifdef CNN_FIBRES_ASAN
  __sanitizer_finish_switch_fiber(from.shadowStack, nullptr, nullptr);
#endif
}

void endFibre(Fibre &from, Fibre &to) {
  announce(nullptr, to);
  cnn_emulator_switch(&from.stackPointer, to.stackPointer);
  __builtin_unreachable();
}

void enterFibre(Fibre &from) {
#ifdef CNN_FIBRES_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &from.threadStack, &from.threadStackBytes);
#endif
}

} // namespace cnn::cuda::emulator
