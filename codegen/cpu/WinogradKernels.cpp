// See WinogradKernels.h.
#include "codegen/cpu/WinogradKernels.h"

#include "codegen/cpu/KernelCalls.h"
#include "ir/Winograd.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using llvm::divideCeil;
using mlir::Value;
namespace cnn::cpu {
namespace {

namespace w = winograd;
constexpr int64_t kBlockBytes = kBlock * 4;
constexpr int64_t kPoints = w::kTile * w::kTile;

using Row = llvm::SmallVector<double, w::kTile>;

/// sum of coefficients[i] * inputs[i] over i = first, first + step, ...; null where all coefficients are zero.
Value combine(KernelBuilder &b, llvm::ArrayRef<double> coefficients, llvm::ArrayRef<Value> inputs, size_t first,
              size_t step) {
  Value sum;
  // Those of magnitude one last, where they need no product.
  for (bool unit : {false, true})
    for (size_t i = first; i < inputs.size(); i += step) {
      double c = coefficients[i];
      if (c == 0 || (c == 1 || c == -1) != unit)
        continue;
      if (!sum)
        sum = c == 1 ? inputs[i] : b.mulf(inputs[i], b.splat(float(c)));
      else if (unit)
        sum = c == 1 ? b.addf(sum, inputs[i]) : b.subf(sum, inputs[i]);
      else
        sum = b.fma(inputs[i], b.splat(float(c)), sum);
    }
  return sum;
}

/// matrix * inputs. Rows that belong to points a and -a differ in the sign of every other coefficient: they share two
/// partial sums.
llvm::SmallVector<Value> applyMatrix(KernelBuilder &b, llvm::ArrayRef<Row> matrix, llvm::ArrayRef<Value> inputs) {
  llvm::SmallVector<Value> results;
  for (size_t r = 0; r < matrix.size(); ++r) {
    bool mirrored = r + 1 < matrix.size();
    for (size_t i = 0; mirrored && i < inputs.size(); ++i)
      mirrored = matrix[r + 1][i] == (i % 2 ? -matrix[r][i] : matrix[r][i]);
    if (mirrored) {
      Value even = combine(b, matrix[r], inputs, 0, 2), odd = combine(b, matrix[r], inputs, 1, 2);
      results.push_back(b.addf(even, odd));
      results.push_back(b.subf(even, odd));
      ++r;
    } else {
      results.push_back(combine(b, matrix[r], inputs, 0, 1));
    }
  }
  return results;
}

/// B^T as rows of coefficients.
llvm::SmallVector<Row> inputMatrix() {
  llvm::SmallVector<Row> matrix;
  for (const auto &row : w::Bt)
    matrix.emplace_back(std::begin(row), std::end(row));
  return matrix;
}

/// A^T x for six inputs, whose pairs at a and -a enter by their sum and their difference.
llvm::SmallVector<Value> transformOutput(KernelBuilder &b, llvm::ArrayRef<Value> inputs) {
  llvm::SmallVector<Value> results;
  Value sum1 = b.addf(inputs[1], inputs[2]), difference1 = b.subf(inputs[1], inputs[2]);
  Value sum2 = b.addf(inputs[3], inputs[4]), difference2 = b.subf(inputs[3], inputs[4]);
  for (int k = 0; k < w::kOutput; ++k) {
    Value first = k % 2 ? difference1 : sum1, second = k % 2 ? difference2 : sum2;
    results.push_back(
        combine(b, {w::A[0][k], w::A[1][k], w::A[3][k], w::A[5][k]}, {inputs[0], first, second, inputs[5]}, 0, 1));
  }
  return results;
}

/// The number of the point 1/a of each point a, and by what G's row of that point is multiplied when the taps are
/// reversed.
constexpr int kReciprocal[w::kTile] = {5, 3, 4, 1, 2, 0};
constexpr double kReversed[w::kTile] = {1, -2, -2, -0.5, -0.5, 1};

/// What four inputs of a scattered convolution (WinogradKernels.h) become: A's rows, of the reciprocal points.
llvm::SmallVector<Row> scatterMatrix() {
  llvm::SmallVector<Row> matrix;
  for (int point : kReciprocal)
    matrix.emplace_back(std::begin(w::A[point]), std::end(w::A[point]));
  return matrix;
}

/// What six products add to six outputs: B of the reciprocal points.
llvm::SmallVector<Value> transformScattered(KernelBuilder &b, llvm::ArrayRef<Value> inputs) {
  llvm::SmallVector<Value> results;
  Value sum1 = b.addf(inputs[1], inputs[2]), difference1 = b.subf(inputs[1], inputs[2]);
  Value sum2 = b.addf(inputs[3], inputs[4]), difference2 = b.subf(inputs[3], inputs[4]);
  for (int k = 0; k < w::kTile; ++k) {
    Value first = k % 2 ? difference1 : sum1, second = k % 2 ? difference2 : sum2;
    auto at = [&](int point) { return w::Bt[kReciprocal[point]][k] * kReversed[kReciprocal[point]]; };
    results.push_back(combine(b, {at(0), at(1), at(3), at(5)}, {inputs[0], first, second, inputs[5]}, 0, 1));
  }
  return results;
}

/// Applies `line` to the columns of a square of `size` x `size` values and then to the rows of what they became.
/// Columns are loaded and rows are stored one by one, so that few values live at a time.
template <typename Line>
void transformSquare(KernelBuilder &b, int64_t size, llvm::function_ref<llvm::SmallVector<Value>(int64_t)> loadColumn,
                     Line line, llvm::function_ref<void(int64_t, llvm::ArrayRef<Value>)> storeRow) {
  llvm::SmallVector<llvm::SmallVector<Value>> columns; // of the half-done square
  for (int64_t j = 0; j < size; ++j) {
    b.keepOrder();
    columns.push_back(line(loadColumn(j)));
  }
  for (size_t i = 0; i < columns.front().size(); ++i) {
    llvm::SmallVector<Value> row;
    for (int64_t j = 0; j < size; ++j)
      row.push_back(columns[j][i]);
    storeRow(i, line(row));
    b.keepOrder();
  }
}

/// The same on values, row by row.
template <typename Line>
llvm::SmallVector<Value> transformSquare(KernelBuilder &b, llvm::ArrayRef<Value> values, int64_t size, Line line) {
  llvm::SmallVector<Value> results;
  transformSquare(
      b, size,
      [&](int64_t j) {
        llvm::SmallVector<Value> column;
        for (int64_t i = 0; i < size; ++i)
          column.push_back(values[i * size + j]);
        return column;
      },
      line, [&](int64_t, llvm::ArrayRef<Value> row) { results.append(row.begin(), row.end()); });
  return results;
}

} // namespace

static WinogradSizes sizesOf(const ConvProblem &p, int64_t height, int64_t width, int64_t images) {
  WinogradSizes sizes;
  sizes.rows = divideCeil(height, w::kOutput);
  sizes.columns = divideCeil(width, w::kOutput);
  int64_t tiles = images ? images * sizes.rows * sizes.columns | 1 : sizes.rows * sizes.columns;
  sizes.tiles = tiles;
  sizes.inputBytes = kPoints * divideCeil(p.channels, kBlock) * tiles * kBlockBytes;
  sizes.productBytes = kPoints * divideCeil(p.outputs, kBlock) * tiles * kBlockBytes;
  sizes.product = {.channels = kPoints * p.channels,
                   .width = tiles,
                   .outputs = kPoints * p.outputs,
                   .outWidth = tiles,
                   .groups = kPoints,
                   .paddedWeights = false};
  return sizes;
}

WinogradSizes winogradSizes(const ConvProblem &p, int64_t images) {
  return sizesOf(p, p.outHeight, p.outWidth, images);
}

/// Of the plane that a scattered convolution is added up in.
static int64_t scatterPitch(const WinogradSizes &sizes) { return (sizes.columns * w::kOutput + 2) * kBlockBytes; }
static int64_t scatterBytes(const WinogradSizes &sizes) { return (sizes.rows * w::kOutput + 2) * scatterPitch(sizes); }

/// Whether the batch kernel scatters: where that takes fewer tiles, in a plane for the first-level cache.
static bool scatters(const ConvProblem &p) {
  constexpr int64_t kPlaneBytes = 32 << 10;
  WinogradSizes gathered = winogradSizes(p), scattered = sizesOf(p, p.height, p.width, 0);
  return p.padTop == 2 && p.padLeft == 2 && p.outHeight == p.height + 2 && p.outWidth == p.width + 2 &&
         scattered.rows * scattered.columns < gathered.rows * gathered.columns &&
         scatterBytes(scattered) <= kPlaneBytes;
}

WinogradSizes winogradBatchSizes(const ConvProblem &p, int64_t images) {
  return scatters(p) ? sizesOf(p, p.height, p.width, images) : winogradSizes(p, images);
}

llvm::SmallVector<Value> winogradTransformKernel(KernelBuilder &b, llvm::ArrayRef<Value> taps) {
  llvm::SmallVector<Row> matrix;
  for (const auto &row : w::G)
    matrix.emplace_back(std::begin(row), std::end(row));
  return transformSquare(b, taps, w::kKernel, [&](llvm::ArrayRef<Value> line) { return applyMatrix(b, matrix, line); });
}

namespace {
/// A transform of tiles of `size` x `size` pixels, four apart, by a matrix of six rows.
struct TileTransform {
  int64_t channels, height, width, padTop, padLeft, size;
  llvm::SmallVector<Row> matrix;
};
} // namespace

/// From operand `input` to `output`, [36][C/16][tiles of all images][16]. A unit is a row of tiles of a block of
/// channels.
static KernelInfo buildTileTransform(KernelBuilder &b, llvm::StringRef symbol, const TileTransform &transform,
                                     const WinogradSizes &sizes, const ConvOperands &operands, bool fetchNext) {
  const int64_t blocks = divideCeil(transform.channels, kBlock), tiles = sizes.tiles;
  const int64_t height = transform.height, width = transform.width, size = transform.size;
  b.kernel(symbol, operands.count, [&] {
    // What pixels outside the image are read from.
    Value zero = mlir::LLVM::AllocaOp::create(b, b.pointer(), b.block(), b.index(1), /*alignment=*/64);
    b.storeBlock(b.splat(0.0f), zero);
    b.forUnits([&](Value unit) {
      auto at = b.delinearize(unit, {Value(), b.index(blocks), b.index(sizes.rows)});
      Value image = at[0], block = at[1], tileRow = at[2];
      Value input = b.offset(b.imageOf(operands.input, image), b.mul(block, height * width * kBlockBytes));
      Value output = b.offset(b.imageOf(operands.output, image), b.mul(block, tiles * kBlockBytes));
      Value top = b.sub(b.mul(tileRow, w::kOutput), transform.padTop);
      llvm::SmallVector<Value> insideRows, rows;
      auto isInside = [&](Value position, int64_t extent) {
        // Unsigned, negative positions are beyond every extent.
        return mlir::arith::CmpIOp::create(b, mlir::arith::CmpIPredicate::ult, position, b.index(extent)).getResult();
      };
      for (int64_t i = 0; i < size; ++i) {
        insideRows.push_back(isInside(b.add(top, i), height));
        rows.push_back(b.offset(input, b.mul(b.add(top, i), width * kBlockBytes)));
      }
      auto isWithin = [&](Value first, int64_t extent) {
        Value last = b.add(first, size - 1);
        return mlir::arith::AndIOp::create(b, isInside(first, extent), isInside(last, extent)).getResult();
      };
      Value rowsWithin = isWithin(top, height);
      b.forLoop(0, sizes.columns, 1, [&](Value tileColumn) {
        Value left = b.sub(b.mul(tileColumn, w::kOutput), transform.padLeft);
        Value address = b.offset(output, b.mul(b.add(b.mul(tileRow, sizes.columns), tileColumn), kBlockBytes));
        // Each tile its share of the next image.
        Value next = b.offset(b.offset(rows[0], b.imageStride(operands.input)), b.mul(left, kBlockBytes));
        auto transformTile = [&](bool within) {
          auto loadColumn = [&](int64_t j) {
            for (int64_t i = 0; fetchNext && j < w::kOutput && i < w::kOutput; ++i)
              b.prefetch(next, ((transform.padTop + i) * width + transform.padLeft + j) * kBlockBytes,
                         /*secondLevel=*/true);
            Value inside = within ? Value() : isInside(b.add(left, j), width);
            Value bytes = b.mul(left, kBlockBytes);
            llvm::SmallVector<Value> column;
            for (int64_t i = 0; i < size; ++i) {
              Value pixel = b.offset(b.offset(rows[i], bytes), j * kBlockBytes);
              if (!within)
                pixel = b.select(mlir::arith::AndIOp::create(b, inside, insideRows[i]), pixel, zero);
              column.push_back(b.loadBlock(pixel));
            }
            return column;
          };
          transformSquare(
              b, size, loadColumn, [&](llvm::ArrayRef<Value> line) { return applyMatrix(b, transform.matrix, line); },
              [&](int64_t i, llvm::ArrayRef<Value> row) {
                for (int64_t j = 0; j < w::kTile; ++j)
                  b.storeBlock(row[j], address, (i * w::kTile + j) * blocks * tiles * kBlockBytes);
              });
        };
        // Most tiles lie inside the image.
        b.ifThen(
            mlir::arith::AndIOp::create(b, rowsWithin, isWithin(left, width)), [&] { transformTile(true); },
            [&] { transformTile(false); });
      });
    });
  });
  return {symbol.str(), blocks * sizes.rows, 0};
}

KernelInfo buildWinogradInputKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                    const ConvOperands &operands, int64_t images) {
  TileTransform transform{p.channels, p.height, p.width, p.padTop, p.padLeft, w::kTile, inputMatrix()};
  return buildTileTransform(b, symbol, transform, winogradSizes(p, images), operands, images > 0);
}

KernelInfo buildWinogradGradientKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                       const ConvOperands &operands, int64_t images) {
  llvm::SmallVector<Row> matrix;
  for (const auto &row : w::A)
    matrix.emplace_back(std::begin(row), std::end(row));
  TileTransform transform{p.outputs, p.outHeight, p.outWidth, 0, 0, w::kOutput, std::move(matrix)};
  return buildTileTransform(b, symbol, transform, winogradSizes(p, images), operands, images > 0);
}

llvm::SmallVector<Value> winogradTransformSums(KernelBuilder &b, llvm::ArrayRef<Value> points) {
  return transformSquare(b, points, w::kTile, [&](llvm::ArrayRef<Value> line) {
    llvm::SmallVector<Value> results;
    Value sum1 = b.addf(line[1], line[2]), difference1 = b.subf(line[1], line[2]);
    Value sum2 = b.addf(line[3], line[4]), difference2 = b.subf(line[3], line[4]);
    for (int k = 0; k < w::kKernel; ++k) {
      Value first = k % 2 ? difference1 : sum1, second = k % 2 ? difference2 : sum2;
      results.push_back(
          combine(b, {w::G[0][k], w::G[1][k], w::G[3][k], w::G[5][k]}, {line[0], first, second, line[5]}, 0, 1));
    }
    return results;
  });
}

KernelInfo buildWinogradProductKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &problem,
                                      const ConvTile &tile, const ConvOperands &operands) {
  return buildConvKernel(b, symbol, winogradSizes(problem).product, tile, operands);
}

KernelInfo buildWinogradOutputKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                     const ConvOperands &operands, const Epilogue &epilogue, int64_t images) {
  const WinogradSizes sizes = winogradSizes(p, images);
  const int64_t blocks = divideCeil(p.outputs, kBlock), tiles = sizes.tiles;
  b.kernel(symbol, operands.count, [&] {
    b.forUnits([&](Value unit) {
      auto at = b.delinearize(unit, {Value(), b.index(blocks), b.index(sizes.rows)});
      Value image = at[0], block = at[1], tileRow = at[2];
      Value products = b.offset(b.imageOf(operands.input, image), b.mul(block, tiles * kBlockBytes));
      Value output = b.imageOf(operands.output, image);
      Value bias =
          operands.bias < 0 ? Value() : b.loadBlock(b.offset(b.buffer(operands.bias), b.mul(block, kBlockBytes)));
      b.forLoop(0, sizes.columns, 1, [&](Value tileColumn) {
        Value from = b.offset(products, b.mul(b.add(b.mul(tileRow, sizes.columns), tileColumn), kBlockBytes));
        auto loadColumn = [&](int64_t j) {
          llvm::SmallVector<Value> column;
          for (int64_t i = 0; i < w::kTile; ++i)
            column.push_back(b.loadBlock(from, (i * w::kTile + j) * blocks * tiles * kBlockBytes));
          return column;
        };
        Value y = b.mul(tileRow, w::kOutput), x = b.mul(tileColumn, w::kOutput);
        Value bytes = b.mul(b.add(b.mul(b.add(b.mul(block, p.outHeight), y), p.outWidth), x), kBlockBytes);
        auto storeRow = [&](int64_t i, llvm::ArrayRef<Value> results) {
          for (int operand : operands.residuals)
            for (int64_t j = 0; images > 0 && j < w::kOutput; ++j) {
              Value next = b.offset(b.imageOf(operand, image), b.imageStride(operand));
              b.prefetch(b.offset(next, bytes), (i * p.outWidth + j) * kBlockBytes, /*secondLevel=*/true);
            }
          for (int64_t j = 0; j < w::kOutput; ++j) {
            auto storeResult = [&] {
              Value value = results[j];
              int64_t displacement = (i * p.outWidth + j) * kBlockBytes;
              if (bias)
                value = b.addf(value, bias);
              if (epilogue)
                value = epilogue(b, value, {image, block, bytes, displacement});
              b.storeBlock(value, b.offset(output, bytes), displacement);
            };
            // The last tiles may reach beyond the output.
            Value inside;
            if (i >= (p.outHeight - 1) % w::kOutput + 1)
              inside = b.lessThan(b.add(y, i), b.index(p.outHeight));
            if (j >= (p.outWidth - 1) % w::kOutput + 1) {
              Value column = b.lessThan(b.add(x, j), b.index(p.outWidth));
              inside = inside ? mlir::arith::AndIOp::create(b, inside, column).getResult() : column;
            }
            if (inside)
              b.ifThen(inside, storeResult);
            else
              storeResult();
          }
        };
        transformSquare(
            b, w::kTile, loadColumn, [&](llvm::ArrayRef<Value> line) { return transformOutput(b, line); }, storeRow);
      });
    });
  });
  return {symbol.str(), blocks * sizes.rows, 0};
}

/// From M, at the image's first tile, by way of a plane (the operand after all others) to the result. A unit is a block
/// of channels.
static KernelInfo buildScatterKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                     const WinogradSizes &sizes, const ConvOperands &operands,
                                     const Epilogue &epilogue) {
  const int64_t blocks = divideCeil(p.outputs, kBlock), tiles = sizes.tiles, pitch = scatterPitch(sizes);
  const int64_t height = sizes.rows * w::kOutput + 2, width = sizes.columns * w::kOutput + 2;
  b.kernel(symbol, operands.count + 1, [&] {
    Value plane = b.buffer(operands.count);
    auto at = [&](Value y, Value x) { return b.offset(plane, b.add(b.mul(y, pitch), b.mul(x, kBlockBytes))); };
    b.forUnits([&](Value unit) {
      auto place = b.delinearize(unit, {Value(), b.index(blocks)});
      Value image = place[0], block = place[1];
      Value products = b.offset(b.imageOf(operands.input, image), b.mul(block, tiles * kBlockBytes));
      // A tile adds to what the tiles above and to the left left in its first two rows and columns.
      auto clear = [&](int64_t rows, int64_t columns) {
        b.forLoop(0, rows, 1,
                  [&](Value y) { b.forLoop(0, columns, 1, [&](Value x) { b.storeBlock(b.splat(0.0f), at(y, x)); }); });
      };
      clear(2, width);
      clear(height, 2);
      b.forLoop(0, sizes.rows, 1, [&](Value tileRow) {
        b.forLoop(0, sizes.columns, 1, [&](Value tileColumn) {
          Value from = b.offset(products, b.mul(b.add(b.mul(tileRow, sizes.columns), tileColumn), kBlockBytes));
          Value to = at(b.mul(tileRow, w::kOutput), b.mul(tileColumn, w::kOutput));
          transformSquare(
              b, w::kTile,
              [&](int64_t j) {
                llvm::SmallVector<Value> column;
                for (int64_t i = 0; i < w::kTile; ++i)
                  column.push_back(b.loadBlock(from, (i * w::kTile + j) * blocks * tiles * kBlockBytes));
                return column;
              },
              [&](llvm::ArrayRef<Value> line) { return transformScattered(b, line); },
              [&](int64_t i, llvm::ArrayRef<Value> row) {
                for (int64_t j = 0; j < w::kTile; ++j) {
                  int64_t displacement = i * pitch + j * kBlockBytes;
                  bool isFirst = i >= 2 && j >= 2;
                  b.storeBlock(isFirst ? row[j] : b.addf(b.loadBlock(to, displacement), row[j]), to, displacement);
                }
              });
        });
      });
      Value bias =
          operands.bias < 0 ? Value() : b.loadBlock(b.offset(b.buffer(operands.bias), b.mul(block, kBlockBytes)));
      b.forLoop(0, p.outHeight, 1, [&](Value y) {
        b.forLoop(0, p.outWidth, 1, [&](Value x) {
          Value bytes = b.mul(b.add(b.mul(b.add(b.mul(block, p.outHeight), y), p.outWidth), x), kBlockBytes);
          for (int operand : operands.residuals)
            b.prefetch(b.offset(b.offset(b.imageOf(operand, image), b.imageStride(operand)), bytes), 0,
                       /*secondLevel=*/true);
          Value value = b.loadBlock(at(y, x));
          if (bias)
            value = b.addf(value, bias);
          if (epilogue)
            value = epilogue(b, value, {image, block, bytes, 0});
          b.storeBlock(value, b.offset(b.imageOf(operands.output, image), bytes));
        });
      });
    });
  });
  return {symbol.str(), blocks, 0};
}

int64_t winogradBatchImages(const ConvProblem &p) {
  // Enough tiles for the registers' tiles, in half a second-level cache.
  constexpr int64_t kTiles = 16, kBytes = 512 << 10;
  WinogradSizes sizes = winogradBatchSizes(p);
  int64_t fill = divideCeil(kTiles, sizes.rows * sizes.columns),
          room = kBytes / (sizes.inputBytes + sizes.productBytes);
  return std::clamp<int64_t>(std::min(fill, room), 1, 16);
}

KernelInfo buildWinogradBatchKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                    const ConvTile &tile, const ConvOperands &operands, const Epilogue &epilogue) {
  const int64_t images = winogradBatchImages(p);
  const bool isScattered = scatters(p);
  const WinogradSizes sizes = winogradBatchSizes(p, images);
  const int64_t tileBytes = sizes.rows * sizes.columns * kBlockBytes;
  TileTransform transform =
      isScattered ? TileTransform{p.channels, p.height, p.width, 0, 0, w::kOutput, scatterMatrix()}
                  : TileTransform{p.channels, p.height, p.width, p.padTop, p.padLeft, w::kTile, inputMatrix()};
  KernelInfo input = buildTileTransform(b, (symbol + ".input").str(), transform, sizes,
                                        {.input = 0, .output = 1, .count = 2}, /*fetchNext=*/true);
  ConvOperands productOperands{.input = 0, .weights = 1, .output = 2, .count = 3};
  // Point by point, then by parts of the blocks of outputs, the longer ones first.
  ConvTile productTile = tile;
  productTile.weightsOuter = true;
  KernelInfo product = buildConvKernel(b, (symbol + ".product").str(), sizes.product, productTile, productOperands);
  // The output kernel's operands are this one's and then M.
  ConvOperands outputOperands = operands;
  outputOperands.input = operands.count;
  outputOperands.count = operands.count + 1;
  KernelInfo output =
      isScattered ? buildScatterKernel(b, (symbol + ".output").str(), p, sizes, outputOperands, epilogue)
                  : buildWinogradOutputKernel(b, (symbol + ".output").str(), p, outputOperands, epilogue, images);
  const int64_t outputUnits = output.unitsPerImage / divideCeil(p.outputs, kBlock);
  const auto parts = cutEvenly(divideCeil(p.outputs, kBlock), tile.blocks);
  int64_t partCount = 0;
  for (auto [blocks, count] : parts)
    partCount += count;
  const int64_t unitsOfPart = product.unitsPerImage / kPoints / partCount;
  b.kernel(symbol, operands.count, [&] {
    KernelCalls calls(b, outputOperands.count + 1);
    Value products = b.offset(b.scratch(), sizes.inputBytes), plane = b.offset(products, sizes.productBytes);
    auto blockOf = [&](Value part) {
      Value ofLonger = b.mul(part, parts.front().first), ofShorter = b.mul(part, parts.back().first);
      return b.min(ofLonger, b.add(ofShorter, parts.front().second * (parts.front().first - parts.back().first)));
    };
    auto multiply = [&](Value first, Value last) {
      calls.call(product, {calls.shared(b.scratch()), calls.shared(b.buffer(operands.weights)), calls.shared(products)},
                 first, last);
    };
    auto build = [&](Value firstImage, Value lastImage, Value firstPart, Value lastPart, bool allParts) {
      b.forLoop(firstImage, lastImage, images, [&](Value first) {
        Value last = b.min(b.add(first, images), lastImage);
        auto atTiles = [&](Value base, Value image) { return b.offset(base, b.mul(b.sub(image, first), tileBytes)); };
        b.forLoop(first, last, 1, [&](Value image) {
          calls.call(input, {calls.image(operands.input, image), calls.shared(atTiles(b.scratch(), image))});
        });
        if (allParts)
          multiply(b.index(0), b.index(product.unitsPerImage));
        else
          b.forLoop(0, kPoints, 1, [&](Value point) {
            auto unitOf = [&](Value part) { return b.mul(b.add(b.mul(point, partCount), part), unitsOfPart); };
            multiply(unitOf(firstPart), unitOf(lastPart));
          });
        b.forLoop(first, last, 1, [&](Value image) {
          llvm::SmallVector<KernelCalls::Operand> all;
          for (int operand = 0; operand < operands.count; ++operand)
            all.push_back(calls.image(operand, image));
          all.push_back(calls.shared(atTiles(products, image)));
          if (isScattered)
            all.push_back(calls.shared(plane));
          calls.call(output, all, b.mul(blockOf(firstPart), outputUnits), b.mul(blockOf(lastPart), outputUnits));
        });
      });
    };
    // Unit u of n a piece belongs to piece u / n; who has a piece's first unit computes all of it.
    auto pieceOf = [&](Value unit, Value units) { return b.div(b.add(unit, b.sub(units, 1)), units); };
    auto byImages = [&] {
      Value units = b.index(partCount);
      build(pieceOf(b.begin(), units), pieceOf(b.end(), units), b.index(0), units, /*allParts=*/true);
    };
    auto byParts = [&] {
      build(b.index(0), b.batch(), pieceOf(b.begin(), b.batch()), pieceOf(b.end(), b.batch()), /*allParts=*/false);
    };
    if (partCount == 1 || images == 1)
      return byImages();
    Value isFew = b.lessThan(b.batch(), b.index(2 * images));
    Value isShared = b.lessThan(b.sub(b.end(), b.begin()), b.mul(b.batch(), partCount));
    b.ifThen(mlir::arith::AndIOp::create(b, isFew, isShared), byParts, byImages);
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.unitsPerImage = partCount;
  info.scratchBytes = sizes.inputBytes + sizes.productBytes + (isScattered ? scatterBytes(sizes) : 0);
  return info;
}

} // namespace cnn::cpu
