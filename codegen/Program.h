// What lowering hands to package emission: a network as a list of steps over planned memory, the kernels of those steps
// as one LLVM module an instruction set, and the packed weights as a stream. Package emission turns it into a library
// (or text, or something to run in process) and knows neither the `cnn` dialect's operations nor the targets.
//
// Memory, in bytes, is described for one image. A session lays it out as runtime/embedded/cnn_abi.h says: a workspace
// buffer begins at `offset * batch`, everything of the fixed segment keeps its place whatever the batch is.
#pragma once

#include "runtime/host/Tensor.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cnn {

enum class Segment : uint32_t; // ir/CnnAttrs.td; the numbers of cnn_segment in cnn_abi.h.

/// An input or output as the user of the library sees it: row-major, `shape` without the batch.
struct TensorInfo {
  std::string name;
  host::DType dtype = host::DType::F32;
  std::vector<int64_t> shape;
  /// False for a tensor that has no batch dimension: `shape` is all of it.
  bool batched = true;
  /// What the values are that the network was made for, in a line for those who fill the tensor; "" where nobody said.
  std::string values;
};

/// Where a kernel's operand lies. Image i begins at `slice + i * imageStride` from the buffer's begin, which is `offset
/// * batch` in the workspace, `offset` in the fixed segment, the state and the weights, and the caller's pointer for
/// input or output number `offset`. What all images share has a stride of 0. The image stride of an input or output is
/// the caller's where the tensor has a batch, so `imageStride` says only that it is not 0.
struct Operand {
  Segment segment = Segment(0);
  int64_t offset = 0;
  int64_t slice = 0;
  int64_t imageStride = 0;
};

/// How a step's kernel is launched on a device: in blocks of `blockThreads` threads, ceil(units / unitsPerBlock) by
/// gridY by gridZ of them. All of it depends on shapes alone, so that a run gives the same bits twice.
struct DeviceLaunch {
  int64_t unitsPerBlock = 0; ///< 0: this is no kernel of a device.
  int64_t gridY = 1, gridZ = 1;
  int64_t blockThreads = 0;
  int64_t sharedBytes = 0; ///< Of dynamic shared memory, for one block.
};

/// A step's code on one instruction set. It computes `fixedUnits + batch * unitsPerImage` units.
struct KernelUse {
  /// A function of the variant's module with the ABI `cnn_kernel`, or the device's. Steps may share one.
  std::string symbol;
  int64_t unitsPerImage = 0;
  int64_t fixedUnits = 0;
  /// Units that are better computed by one thread together (they share a block of weights, say); threads are given
  /// multiples.
  int64_t grain = 1;
  DeviceLaunch device;
};

/// One launch of a kernel. Steps run in order; the units of a step run in any order, on any number of threads.
struct Step {
  int64_t group = 0; ///< Index into Program::groups.
  /// Whether the kernels compute one image after the other, from operands of that image and what all images share, so
  /// that a part of the batch may be computed as if it were all of it.
  bool isByImage = false;
  /// This many steps, from this one on, may be run together, so many images at a time (Chains.h); 1: by itself.
  int64_t chain = 1, chainImages = 0;
  std::vector<Operand> operands;
  std::vector<KernelUse> kernels; ///< One a variant, in the order of Program::variants.
};

/// What a step or several implement: for tools that time and verify by group. A group's steps follow one another.
struct GroupInfo {
  std::string path, kind, algorithm;
  int64_t flopsPerImage = 0; ///< Two a multiply-add, counted by the direct method.
  int64_t bytesPerImage = 0; ///< What is read and written at least, for one image, weights included.
  std::vector<Operand> operands, results;
};

/// The kernels for one instruction set or architecture. Each function says its `target-cpu` and features by attribute.
struct Variant {
  std::string name; ///< "avx512", "avx2", "sse": what NAME_isa answers and CNN_ISA takes; "sm_80" of a device.
  /// x86-64-v4, x86-64-v3 or x86-64-v2; what the library demands of the machine it runs on. LLVM's name of the
  /// architecture of a device.
  std::string targetCpu;
  std::unique_ptr<llvm::LLVMContext> context;
  std::unique_ptr<llvm::Module> module;
};

struct PackedWeight {
  std::string name;
  int64_t offset = 0; ///< A multiple of 64.
  int64_t bytes = 0;
};

/// A variable that calls keep and change: it lies in the caller's block of state, row-major.
struct StateVariable {
  std::string name;
  std::string kind; ///< "param", "statistic", "slot" or "counter".
  host::DType dtype = host::DType::F32;
  std::vector<int64_t> shape;
  int64_t offset = 0; ///< A multiple of 64.
  int64_t bytes = 0;
};

using WeightSink = llvm::function_ref<llvm::Error(llvm::ArrayRef<char>)>;

struct Program {
  /// What contractions multiply in, for people to read; empty where the target has no choice.
  std::string precision;
  std::string name; ///< Prefix of the library's symbols and files: a C identifier.
  /// What the library is for: a name that codegen/package/LibraryTarget.h knows.
  std::string target = "cpu";
  /// The hyperparameters of a step, which have no batch, are the last inputs.
  std::vector<TensorInfo> inputs, outputs;
  int64_t batch = 0; ///< The one batch that the network takes; 0: any.

  int64_t workspaceBytes = 0; ///< For one image; a multiple of 64.
  int64_t fixedBytes = 0;     ///< A multiple of 64.
  int64_t scratchBytes = 0;   ///< For one worker: the largest that a kernel of any variant uses.

  std::vector<StateVariable> state; ///< In order of offset.
  int64_t stateBytes = 0;           ///< A multiple of 64.
  int64_t hypers = 0;               ///< How many of the inputs are hyperparameters.
  /// Where the state's first values lie in the weights, in the layout of the state; -1: nowhere. A library that has
  /// them is one of a step: its users call NAME_step.
  int64_t initialState = -1;

  std::vector<GroupInfo> groups;
  std::vector<Step> steps;
  std::vector<Variant> variants; ///< The most capable first.

  std::vector<PackedWeight> packed; ///< In order of offset.
  int64_t weightsBytes = 0;         ///< A multiple of 64.
  /// Gives all `weightsBytes` to the sink, in order, in pieces of any size (gaps are zeros). May be called more than
  /// once and gives the same bytes each time. Null when weightsBytes is 0.
  std::function<llvm::Error(WeightSink)> streamWeights;

  /// The whole programs of a library for several kinds of machines (codegen/package/Parts.h), which then has no steps
  /// and variants of its own.
  std::vector<Program> parts;
};

} // namespace cnn
