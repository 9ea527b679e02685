// The CPU's answers to the passes (passes/TargetModel.h): every x86 instruction set shares groups, layouts, packing and
// plan.
#pragma once

namespace cnn::cpu {

/// Makes the model known as "cpu"; a second call does nothing. The caller's context needs CpuDialect.
void registerCpuTarget();

/// What `@schedule(...)` before an expression leaves on its operation: a dictionary. A contraction takes `algorithm`
/// ("direct", or "winograd" where it fits) and, on every instruction set, the numbers `rows`, `columns`, `blocks`,
/// `unroll` and `unit_tiles` of
/// `#cpu.schedule`.
inline constexpr const char *kScheduleAttr = "cnn.schedule";

} // namespace cnn::cpu
