// The layers of the language: a table of names, parameters and builders. One file a family; a new layer is a row in its
// family's table and a function beside it.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <limits>
#include <optional>
#include <vector>

namespace cnn {

struct LayerCall;
struct Value;

struct LayerParameter {
  llvm::StringRef name;
  bool required = false;
};

inline constexpr unsigned kAnyNumber = std::numeric_limits<unsigned>::max();

struct LayerInfo {
  llvm::StringRef name;
  /// How many tensors it takes, before its parameters.
  unsigned minInputs, maxInputs;
  std::vector<LayerParameter> parameters;
  /// Builds the operations. Called only when the arguments have names that exist and none of them failed.
  Value (*build)(LayerCall &call);
  /// What it computes on a number while the network is built, where it has a meaning there.
  double (*onNumber)(double) = nullptr;
  /// It stands in train blocks and changes inputs of the block before the step: `build` gets as inputs what the loader
  /// gives (images f32, masks of integers), builds with LayerCall::seed() and step(), and returns a tensor or a tuple
  /// of as many.
  bool isAugmentation = false;
  /// What an augmentation gives in an evaluation, built there; null where the inputs stay as they are.
  Value (*evaluate)(LayerCall &call) = nullptr;
  /// A call as it is written in a train block, which messages show: `accuracy(scores, label)`. Empty where the name and
  /// the parameters say enough.
  llvm::StringRef example = "";

  /// The same with an example.
  LayerInfo shownAs(llvm::StringRef text) const {
    LayerInfo info = *this;
    info.example = text;
    return info;
  }
};

/// The layer of this name, or null.
const LayerInfo *findLayer(llvm::StringRef name);
/// All layers, in the order of their families.
llvm::ArrayRef<const LayerInfo *> allLayers();

// The families' tables.
llvm::ArrayRef<LayerInfo> activationLayers();   // LayersActivation.cpp
llvm::ArrayRef<LayerInfo> augmentationLayers(); // LayersAugment.cpp
llvm::ArrayRef<LayerInfo> convolutionLayers();  // LayersConvolution.cpp
llvm::ArrayRef<LayerInfo> denseLayers();        // LayersDense.cpp: dense, batch_norm, param
llvm::ArrayRef<LayerInfo> poolLayers();         // LayersPool.cpp
llvm::ArrayRef<LayerInfo> randomLayers();       // LayersRandom.cpp
llvm::ArrayRef<LayerInfo> reductionLayers();    // LayersReduction.cpp
llvm::ArrayRef<LayerInfo> shapeLayers();        // LayersShape.cpp

} // namespace cnn
