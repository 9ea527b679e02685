// The shape of a convolution and the register tile that its kernel works in: how the output is cut, which taps of which
// tile lie outside the image, and the model that chooses among tiles for an instruction set.
#pragma once

#include "codegen/cpu/Isa.h"

#include "llvm/ADT/SmallVector.h"

#include <optional>
#include <string>

namespace cnn::cpu {

/// A 2-d convolution of NCHW images. Channel counts are over all groups; the padding below and to the right follows
/// from the output's extents. Taps that lie outside the image count as zero.
struct ConvProblem {
  int64_t channels = 1, height = 1, width = 1;
  int64_t outputs = 1, outHeight = 1, outWidth = 1;
  int64_t kernelHeight = 1, kernelWidth = 1;
  int64_t strideY = 1, strideX = 1;
  int64_t dilationY = 1, dilationX = 1;
  int64_t padTop = 0, padLeft = 0;
  int64_t groups = 1;
  /// How the input is stored: in blocks of 16 channels, or plane by plane as a network with few input channels gets its
  /// images.
  bool planarInput = false;
  /// Whether the input channels of the weights are padded to whole blocks as those of a blocked input are.
  bool paddedWeights = true;
  /// Where the outputs and the taps are some of those that are stored, evenly spaced: one residue of a transposed
  /// convolution. The extents above are then those of the residue; a tap step may be negative.
  struct Spacing {
    int64_t height, width;             ///< Of the stored output,
    int64_t firstY, firstX;            ///< its pixel that is output (0, 0) here,
    int64_t stepY, stepX;              ///< and from one to the next.
    int64_t kernelHeight, kernelWidth; ///< Of the stored kernels, and likewise their taps.
    int64_t firstTapY, firstTapX;
    int64_t tapStepY, tapStepX;
  };
  std::optional<Spacing> spacing = {};

  /// Multiply-adds of one image, taps outside the image included.
  int64_t multiplyAdds() const {
    return outputs * outHeight * outWidth * (channels / groups) * kernelHeight * kernelWidth;
  }
  /// A 1x1 convolution without stride or padding: pixels are independent, so that tiles need not end with a row.
  bool isPointwise() const;
  std::string str() const;
};

/// One axis of the output cut into tiles: `count` tiles of `size` from `begin` on, for all of which the same taps of
/// the same elements lie inside the image. For tap k these are the elements [inside[k].first, inside[k].second) of the
/// tile.
struct TileRun {
  int64_t begin, size, count;
  llvm::SmallVector<std::pair<int64_t, int64_t>, 7> inside;

  int64_t end() const { return begin + size * count; }
};

/// Cuts `extent` outputs into the least number of tiles of at most `largest`, as equal as possible, larger ones first.
llvm::SmallVector<TileRun> cutAxis(int64_t extent, int64_t largest, int64_t inputExtent, int64_t taps, int64_t stride,
                                   int64_t dilation, int64_t pad);

/// The lengths of the least number of near-equal parts of at most `largest` of `extent`: (length, count), longer first.
llvm::SmallVector<std::pair<int64_t, int64_t>, 2> cutEvenly(int64_t extent, int64_t largest);

/// How a convolution is blocked. Neither changes the order in which an output's products are added: blocks of input
/// channels, kernel rows, kernel columns, channels.
struct ConvTile {
  int64_t rows = 1;      ///< Output rows of a register tile.
  int64_t columns = 1;   ///< Output columns; pixels of a flattened image where the convolution is pointwise.
  int64_t blocks = 1;    ///< Blocks of 16 output channels.
  int64_t unroll = 4;    ///< Input channels in the body of the innermost loop; a power of two up to 16.
  int64_t unitTiles = 1; ///< Tiles along the outer axis (rows, or pixels if pointwise) of a work unit.
  bool weightsOuter =
      false; ///< Work units visit all of a group of output blocks before the next; else all groups of an area.
  int64_t prefetchWeights = 0; ///< Bytes ahead in each block's weights; 0 for none.
  bool prefetchNext = false;   ///< Fetch the weights of the next group of blocks, each tile its share.
};

/// Every tile that the registers hold and that makes sense for `problem`, the best by the cost model first.
llvm::SmallVector<ConvTile, 0> candidateTiles(const ConvProblem &problem, Isa isa);

ConvTile chooseTile(const ConvProblem &problem, Isa isa);

} // namespace cnn::cpu
