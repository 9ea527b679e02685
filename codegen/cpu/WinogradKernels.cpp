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

WinogradSizes winogradSizes(const ConvProblem &p, int64_t images) {
  WinogradSizes sizes;
  sizes.rows = divideCeil(p.outHeight, w::kOutput);
  sizes.columns = divideCeil(p.outWidth, w::kOutput);
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
                                      const ConvTile &tile, const ConvOperands &operands, int64_t images) {
  return buildConvKernel(b, symbol, winogradSizes(problem, images).product, tile, operands);
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

int64_t winogradBatchImages(const ConvProblem &p) {
  // Enough tiles for the registers' tiles, in half a second-level cache.
  constexpr int64_t kTiles = 16, kBytes = 512 << 10;
  WinogradSizes sizes = winogradSizes(p);
  int64_t fill = divideCeil(kTiles, sizes.rows * sizes.columns),
          room = kBytes / (sizes.inputBytes + sizes.productBytes);
  return std::clamp<int64_t>(std::min(fill, room), 1, 16);
}

KernelInfo buildWinogradBatchKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                    const ConvTile &tile, const ConvOperands &operands, const Epilogue &epilogue) {
  const int64_t images = winogradBatchImages(p);
  const WinogradSizes one = winogradSizes(p), sizes = winogradSizes(p, images);
  const int64_t tileBytes = one.rows * one.columns * kBlockBytes;
  KernelInfo input =
      buildWinogradInputKernel(b, (symbol + ".input").str(), p, {.input = 0, .output = 1, .count = 2}, images);
  KernelInfo product = buildWinogradProductKernel(b, (symbol + ".product").str(), p, tile,
                                                  {.input = 0, .weights = 1, .output = 2, .count = 3}, images);
  // The output kernel's operands are this one's and then M.
  ConvOperands outputOperands = operands;
  outputOperands.input = operands.count;
  outputOperands.count = operands.count + 1;
  KernelInfo output = buildWinogradOutputKernel(b, (symbol + ".output").str(), p, outputOperands, epilogue, images);
  b.kernel(symbol, operands.count, [&] {
    KernelCalls calls(b, outputOperands.count);
    Value products = b.offset(b.scratch(), sizes.inputBytes);
    b.forLoop(b.begin(), b.end(), images, [&](Value first) {
      Value last = b.min(b.add(first, images), b.end());
      auto atTiles = [&](Value base, Value image) { return b.offset(base, b.mul(b.sub(image, first), tileBytes)); };
      b.forLoop(first, last, 1, [&](Value image) {
        calls.call(input, {calls.image(operands.input, image), calls.shared(atTiles(b.scratch(), image))});
      });
      calls.call(product,
                 {calls.shared(b.scratch()), calls.shared(b.buffer(operands.weights)), calls.shared(products)});
      b.forLoop(first, last, 1, [&](Value image) {
        llvm::SmallVector<KernelCalls::Operand> all;
        for (int operand = 0; operand < operands.count; ++operand)
          all.push_back(calls.image(operand, image));
        all.push_back(calls.shared(atTiles(products, image)));
        calls.call(output, all);
      });
    });
  });
  KernelInfo info;
  info.symbol = symbol.str();
  info.scratchBytes = sizes.inputBytes + sizes.productBytes;
  return info;
}

} // namespace cnn::cpu
