/* What the CPU has and the operating system saves, by the levels of the x86-64 psABI. */
#include "runtime/embedded/cnn_runtime.h"

#include <cpuid.h>

static int has(unsigned value, unsigned bits) { return (value & bits) == bits; }

/* Register state that the operating system saves (Intel SDM volume 1, 13.3). */
static uint64_t saved_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

int cnn_cpu_level(void) {
  unsigned a, b, c1, d1, ext_c = 0, b7 = 0, c, d;
  if (!__get_cpuid(1, &a, &b, &c1, &d1))
    return 1;
  if (__get_cpuid(0x80000001, &a, &b, &c, &d))
    ext_c = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d))
    b7 = b;

  const unsigned cx16 = 1u << 13, lahf = 1u << 0;
  if (!has(c1, bit_SSE3 | bit_SSSE3 | bit_SSE4_1 | bit_SSE4_2 | bit_POPCNT | cx16) || !has(ext_c, lahf))
    return 1;

  const unsigned lzcnt = 1u << 5, xmm_ymm = 0x6, xmm_ymm_zmm = 0xe6;
  if (!has(c1, bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C | bit_MOVBE) || !has(b7, bit_AVX2 | bit_BMI | bit_BMI2) ||
      !has(ext_c, lzcnt) || !has((unsigned)saved_state(), xmm_ymm))
    return 2;

  if (!has(b7, bit_AVX512F | bit_AVX512BW | bit_AVX512CD | bit_AVX512DQ | bit_AVX512VL) ||
      !has((unsigned)saved_state(), xmm_ymm_zmm))
    return 3;
  return 4;
}
