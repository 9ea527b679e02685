// A sheet of what augmentation makes of the first images of a data set.
#pragma once

#include "runtime/host/Image.h"
#include "tools/cnnc/training/TrainingData.h"

namespace cnn {

/// A row for each of the first images, or masks: as it is, then augmented copies. `augment` is the program's module. An
/// error where nothing that it gives is a picture.
host::Result<host::Image> previewSheet(const TrainingProgram &program, const StepModule &augment,
                                       const host::Dataset &data, uint64_t seed);

} // namespace cnn
