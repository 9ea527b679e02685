// Masks of pictures of any size, by a network that gives scores for each pixel (`cnnc predict`).
#pragma once

#include "runtime/host/data/Dataset.h"
#include "runtime/host/training/Metrics.h"
#include "tools/cnnc/Ports.h"
#include "tools/cnnc/Target.h"

namespace cnn {

struct MaskOptions {
  /// Of tiles, see runtime/host/Tiles.h; below 0: none where a picture has the size of the input, else a quarter of it.
  int64_t overlap = -1;
  int64_t batch = 32;
  /// Raw values 0..255 where no preprocessing is declared, else value / 255.
  bool rawPixels = false;
  /// What cannot be read is left out; otherwise it is an error.
  bool skipBad = false;
  /// A folder for PNG pictures of the masks, by the pictures' stems, and a table of them, masks.csv.
  std::string folder;
  /// A folder of the true masks, or empty.
  std::string truth;
};

/// Whether the output is of scores for each pixel, [N, K, H, W].
bool givesMasks(mlir::RankedTensorType output);

struct MaskResult {
  int64_t masks = 0;
  /// Why pictures were left out.
  std::vector<std::string> skipped;
  /// By the true masks.
  std::vector<host::NamedValue> figures;

  /// What the command says at its end, as a line of JSON or as text.
  void print(const std::string &network, const Target &target, const std::string &folder, bool json) const;
};

/// Writes the masks, a pixel's class or, of two classes, 0 and 255. Nothing is written after an error.
host::Result<MaskResult> predictMasks(const host::Dataset &data, Target &target, const Port &input, const Port &output,
                                      const MaskOptions &options);

} // namespace cnn
