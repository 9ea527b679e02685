// What train blocks call beside layers and networks: losses, regularizers, optimizers, schedules, metrics, and what
// steers training. One file a family, as for layers.
#pragma once

#include "frontend/Layers.h"

namespace cnn {

/// The function of this name, or null.
const LayerInfo *findTrainFunction(llvm::StringRef name);
/// All of them, in the order of their families.
llvm::ArrayRef<const LayerInfo *> trainFunctions();

// The families' tables.
llvm::ArrayRef<LayerInfo> lossFunctions();      // TrainLosses.cpp, with the regularizers
llvm::ArrayRef<LayerInfo> optimizerFunctions(); // TrainOptimizers.cpp
llvm::ArrayRef<LayerInfo> scheduleFunctions();  // TrainSchedules.cpp
llvm::ArrayRef<LayerInfo> metricFunctions();    // TrainMetrics.cpp
llvm::ArrayRef<LayerInfo> controlFunctions();   // TrainFunctions.cpp: freeze, frozen, init, ema, stop_gradient, one_hot

} // namespace cnn
