// See ConvTile.h.
#include "codegen/cpu/ConvTile.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
namespace cnn::cpu {

bool ConvProblem::isPointwise() const {
  return kernelHeight == 1 && kernelWidth == 1 && strideY == 1 && strideX == 1 && padTop == 0 && padLeft == 0 &&
         height == outHeight && width == outWidth && !spacing;
}

std::string ConvProblem::str() const {
  return llvm::formatv("{0}x{1}x{2} to {3}x{4}x{5}, kernel {6}x{7}, stride {8}x{9}, dilation {10}x{11}, pad {12},{13}, "
                       "groups {14}{15}",
                       channels, height, width, outputs, outHeight, outWidth, kernelHeight, kernelWidth, strideY,
                       strideX, dilationY, dilationX, padTop, padLeft, groups, planarInput ? ", planar" : "");
}

llvm::SmallVector<std::pair<int64_t, int64_t>, 2> cutEvenly(int64_t extent, int64_t largest) {
  int64_t count = divideCeil(extent, largest), size = extent / count, longer = extent % count;
  llvm::SmallVector<std::pair<int64_t, int64_t>, 2> parts;
  if (longer)
    parts.emplace_back(size + 1, longer);
  parts.emplace_back(size, count - longer);
  return parts;
}

/// The elements of the tile [begin, begin + size) whose tap at `shift` = tap * dilation - pad is inside; empty is (0,
/// 0).
static std::pair<int64_t, int64_t> insideOf(int64_t begin, int64_t size, int64_t inputExtent, int64_t stride,
                                            int64_t shift) {
  auto inside = [&](int64_t element) {
    int64_t at = (begin + element) * stride + shift;
    return at >= 0 && at < inputExtent;
  };
  int64_t first = 0, last = size;
  while (first < last && !inside(first))
    ++first;
  while (last > first && !inside(last - 1))
    --last;
  return first == last ? std::pair<int64_t, int64_t>(0, 0) : std::pair<int64_t, int64_t>(first, last);
}

llvm::SmallVector<TileRun> cutAxis(int64_t extent, int64_t largest, int64_t inputExtent, int64_t taps, int64_t stride,
                                   int64_t dilation, int64_t pad) {
  llvm::SmallVector<TileRun> runs;
  int64_t begin = 0;
  for (auto [size, count] : cutEvenly(extent, largest)) {
    for (int64_t tile = 0; tile < count; ++tile, begin += size) {
      TileRun run{begin, size, 1, {}};
      for (int64_t tap = 0; tap < taps; ++tap)
        run.inside.push_back(insideOf(begin, size, inputExtent, stride, tap * dilation - pad));
      if (!runs.empty() && runs.back().size == size && runs.back().inside == run.inside)
        ++runs.back().count;
      else
        runs.push_back(std::move(run));
    }
  }
  return runs;
}

namespace {
/// What a candidate costs, in cycles for one block of 16 outputs and one input channel, all pixels of the image.
class CostModel {
public:
  CostModel(const ConvProblem &problem, Isa isa) : problem(problem), info(isaInfo(isa)) {}

  bool fits(int64_t pixels, int64_t blocks) const {
    // The sums, a vector of weights for each block and one broadcast; without fused multiply-add a product as well.
    int64_t vectors = (pixels * blocks + blocks) * info.registersPerBlock;
    return vectors + (info.isa == Isa::Sse ? 2 : 1) <= info.registers;
  }

  double cost(int64_t rows, int64_t columns, int64_t blocks) const {
    const ConvProblem &p = problem;
    bool pointwise = p.isPointwise();
    int64_t height = pointwise ? 1 : p.outHeight, width = pointwise ? p.outHeight * p.outWidth : p.outWidth;
    int64_t groupBlocks = divideCeil(p.outputs / p.groups, kBlock);
    // Every tile reads the weights of its blocks again. Half a second-level cache holds them beside the images and what
    // is fetched ahead; beyond that they come from further away.
    int64_t groupChannels = p.channels / p.groups;
    double groupBytes = 4.0 * blocks * kBlock * groupChannels * p.kernelHeight * p.kernelWidth;
    double penalty = groupBytes > kCacheBytes ? 1.15 : 1.0;
    double total = 0;
    for (auto [b, groups] : cutEvenly(groupBlocks, blocks))
      for (auto [r, rowTiles] : cutEvenly(height, rows))
        for (auto [c, columnTiles] : cutEvenly(width, columns))
          total += double(groups) * rowTiles * columnTiles * tileCycles(r * c, b);
    // Code is worth its instruction cache and the time to compile it.
    double code = codeBytes(rows, columns, blocks);
    if (code > kCodeBytes)
      penalty *= 1 + 0.2 * (code - kCodeBytes) / kCodeBytes;
    return penalty * total / groupBlocks;
  }

private:
  static constexpr double kCacheBytes = 640 * 1024, kCodeBytes = 8 * 1024;

  /// An estimate, for an unrolling of two, of the bodies that edges and unequal tiles make.
  double codeBytes(int64_t rows, int64_t columns, int64_t blocks) const {
    const ConvProblem &p = problem;
    if (p.isPointwise())
      return 0;
    int64_t products = 0;
    for (const TileRun &column :
         cutAxis(p.outWidth, columns, p.width, p.kernelWidth, p.strideX, p.dilationX, p.padLeft)) {
      int64_t perRow = 0;
      for (size_t tap = 0; tap < column.inside.size(); ++tap)
        if (tap == 0 || column.inside[tap] != column.inside[tap - 1])
          perRow += column.inside[tap].second - column.inside[tap].first;
      if (rows == 1) {
        products += perRow;
        continue;
      }
      for (const TileRun &row : cutAxis(p.outHeight, rows, p.height, p.kernelHeight, p.strideY, p.dilationY, p.padTop))
        for (auto [first, last] : row.inside)
          products += (last - first) * perRow;
    }
    return double(products * blocks * info.registersPerBlock) * 2 * 10;
  }

  /// Cycles of one input channel of a tile: two fused multiply-adds and two loads a cycle, four cycles from one
  /// addition to the next, and what a tile costs besides (filling the pipeline, the epilogue), spread over its
  /// reduction.
  double tileCycles(int64_t pixels, int64_t blocks) const {
    const ConvProblem &p = problem;
    double products = double(pixels * blocks * info.registersPerBlock) / 2;
    double loads = double(pixels + blocks * info.registersPerBlock) / 2;
    int64_t groupChannels = p.channels / p.groups;
    double reduction = double(groupChannels) * p.kernelHeight * p.kernelWidth;
    double overhead = (40.0 + 2.0 * pixels * blocks) / reduction;
    // Loads rarely use every slot: a mixture of the two bounds is closer to what is measured than their maximum.
    return std::max({products, loads * 1.1, 4.0}) + 0.06 * loads + overhead;
  }

  const ConvProblem &problem;
  const IsaInfo &info;
};
} // namespace

/// What does not depend on the machine's registers: how the work is handed out, and in which order.
static void divideWork(ConvTile &tile, const ConvProblem &problem, int64_t height, int64_t width, int64_t groupBlocks) {
  // Work units of some 4 million multiply-adds: enough of them for many threads, long against the cost of handing one
  // out.
  int64_t outerTiles = height > 1 ? divideCeil(height, tile.rows) : divideCeil(width, tile.columns);
  int64_t groups = problem.groups * divideCeil(groupBlocks, tile.blocks);
  double perTile = double(problem.multiplyAdds()) / (double(groups) * outerTiles);
  tile.unitTiles = std::clamp<int64_t>(int64_t(1e6 / perTile), 1, outerTiles);
  tile.unitTiles = cutEvenly(outerTiles, tile.unitTiles).front().first;

  // Whichever is larger should be read once: the weights or the images' rows.
  int64_t weightBytes =
      4 * problem.outputs * (problem.channels / problem.groups) * problem.kernelHeight * problem.kernelWidth;
  int64_t inputBytes = 4 * problem.channels * problem.height * problem.width;
  tile.weightsOuter = weightBytes > inputBytes || problem.groups > 1;
  // Weights that are read once come from memory; without this the first tile of a group of blocks waits for them.
  tile.prefetchNext = tile.weightsOuter;
}

llvm::SmallVector<ConvTile, 0> candidateTiles(const ConvProblem &problem, Isa isa) {
  CostModel model(problem, isa);
  bool pointwise = problem.isPointwise();
  int64_t height = pointwise ? 1 : problem.outHeight;
  int64_t width = pointwise ? problem.outHeight * problem.outWidth : problem.outWidth;
  int64_t groupBlocks = divideCeil(problem.outputs / problem.groups, kBlock);
  llvm::SmallVector<std::tuple<double, size_t, ConvTile>, 0> candidates;
  for (int64_t blocks = 1; blocks <= std::min<int64_t>(4, groupBlocks); ++blocks)
    for (int64_t rows = 1; rows <= std::min<int64_t>(height, 4); ++rows)
      for (int64_t columns = 1; columns <= width && model.fits(rows * columns, blocks); ++columns) {
        // Several rows only where a row is a single tile: longer rows fill a tile by themselves.
        if (rows > 1 && columns != width)
          continue;
        ConvTile tile{.rows = rows, .columns = columns, .blocks = blocks};
        // LLVM loads the weights of all unrolled channels first, which few registers do not hold.
        tile.unroll = isa == Isa::Avx512 ? 2 : 1;
        divideWork(tile, problem, height, width, groupBlocks);
        candidates.emplace_back(model.cost(rows, columns, blocks), candidates.size(), tile);
      }
  llvm::sort(candidates, [](const auto &a, const auto &b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  llvm::SmallVector<ConvTile, 0> tiles;
  for (auto &[cost, index, tile] : candidates)
    tiles.push_back(tile);
  return tiles;
}

ConvTile chooseTile(const ConvProblem &problem, Isa isa) { return candidateTiles(problem, isa).front(); }

} // namespace cnn::cpu
