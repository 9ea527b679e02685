// The CPU's answers to the passes (passes/TargetModel.h): every x86 instruction set shares groups, layouts, packing and plan.
#pragma once

namespace cnn::cpu {

/// Makes the model known as "cpu"; a second call does nothing. The caller's context needs CpuDialect.
void registerCpuTarget();

/// A conv2d with this attribute (a string) is computed by that algorithm where the target can: "winograd" or "direct".
inline constexpr const char *kAlgorithmAttr = "cnn.algorithm";

} // namespace cnn::cpu
