// See WinogradKernels.h.
#include "codegen/cpu/WinogradKernels.h"

#include "ir/Winograd.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

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

/// Applies `line` to the columns and then to the rows of a square of values, given and returned row by row.
template <typename Line>
llvm::SmallVector<Value> transformSquare(llvm::ArrayRef<Value> values, int64_t size, Line line) {
  llvm::SmallVector<llvm::SmallVector<Value>> columns; // of the half-done square
  for (int64_t j = 0; j < size; ++j) {
    llvm::SmallVector<Value> column;
    for (int64_t i = 0; i < size; ++i)
      column.push_back(values[i * size + j]);
    columns.push_back(line(column));
  }
  llvm::SmallVector<Value> result;
  for (size_t i = 0; i < columns.front().size(); ++i) {
    llvm::SmallVector<Value> row;
    for (int64_t j = 0; j < size; ++j)
      row.push_back(columns[j][i]);
    result.append(line(row));
  }
  return result;
}

} // namespace

WinogradSizes winogradSizes(const ConvProblem &p) {
  WinogradSizes sizes;
  sizes.rows = divideCeil(p.outHeight, w::kOutput);
  sizes.columns = divideCeil(p.outWidth, w::kOutput);
  int64_t tiles = sizes.rows * sizes.columns;
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

KernelInfo buildWinogradInputKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                    const ConvOperands &operands) {
  const WinogradSizes sizes = winogradSizes(p);
  const int64_t blocks = divideCeil(p.channels, kBlock), tiles = sizes.rows * sizes.columns;
  b.kernel(symbol, operands.count, [&] {
    // What pixels outside the image are read from.
    Value zero = mlir::LLVM::AllocaOp::create(b, b.pointer(), b.block(), b.index(1), /*alignment=*/64);
    b.storeBlock(b.splat(0.0f), zero);
    b.forUnits([&](Value unit) {
      auto at = b.delinearize(unit, {Value(), b.index(blocks), b.index(sizes.rows)});
      Value image = at[0], block = at[1], tileRow = at[2];
      Value input = b.offset(b.imageOf(operands.input, image), b.mul(block, p.height * p.width * kBlockBytes));
      Value output = b.offset(b.imageOf(operands.output, image), b.mul(block, tiles * kBlockBytes));
      Value top = b.sub(b.mul(tileRow, w::kOutput), p.padTop);
      llvm::SmallVector<Value> insideRows, rows;
      auto isInside = [&](Value position, int64_t extent) {
        // Unsigned, negative positions are beyond every extent.
        return mlir::arith::CmpIOp::create(b, mlir::arith::CmpIPredicate::ult, position, b.index(extent)).getResult();
      };
      for (int64_t i = 0; i < w::kTile; ++i) {
        insideRows.push_back(isInside(b.add(top, i), p.height));
        rows.push_back(b.offset(input, b.mul(b.add(top, i), p.width * kBlockBytes)));
      }
      b.forLoop(0, sizes.columns, 1, [&](Value tileColumn) {
        Value left = b.sub(b.mul(tileColumn, w::kOutput), p.padLeft);
        llvm::SmallVector<Value> pixels(kPoints);
        for (int64_t j = 0; j < w::kTile; ++j) {
          Value inside = isInside(b.add(left, j), p.width);
          Value bytes = b.mul(b.add(left, j), kBlockBytes);
          for (int64_t i = 0; i < w::kTile; ++i) {
            Value both = mlir::arith::AndIOp::create(b, inside, insideRows[i]);
            pixels[i * w::kTile + j] = b.loadBlock(b.select(both, b.offset(rows[i], bytes), zero));
          }
        }
        llvm::SmallVector<Row> matrix = inputMatrix();
        auto transformed =
            transformSquare(pixels, w::kTile, [&](llvm::ArrayRef<Value> line) { return applyMatrix(b, matrix, line); });
        Value address = b.offset(output, b.mul(b.add(b.mul(tileRow, sizes.columns), tileColumn), kBlockBytes));
        for (int64_t point = 0; point < kPoints; ++point)
          b.storeBlock(transformed[point], address, point * blocks * tiles * kBlockBytes);
      });
    });
  });
  return {symbol.str(), blocks * sizes.rows, 0};
}

KernelInfo buildWinogradProductKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &problem,
                                      const ConvTile &tile, const ConvOperands &operands) {
  return buildConvKernel(b, symbol, winogradSizes(problem).product, tile, operands);
}

KernelInfo buildWinogradOutputKernel(KernelBuilder &b, llvm::StringRef symbol, const ConvProblem &p,
                                     const ConvOperands &operands, const Epilogue &epilogue) {
  const WinogradSizes sizes = winogradSizes(p);
  const int64_t blocks = divideCeil(p.outputs, kBlock), tiles = sizes.rows * sizes.columns;
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
        llvm::SmallVector<Value> values;
        for (int64_t point = 0; point < kPoints; ++point)
          values.push_back(b.loadBlock(from, point * blocks * tiles * kBlockBytes));
        auto results =
            transformSquare(values, w::kTile, [&](llvm::ArrayRef<Value> line) { return transformOutput(b, line); });
        Value y = b.mul(tileRow, w::kOutput), x = b.mul(tileColumn, w::kOutput);
        Value bytes = b.mul(b.add(b.mul(b.add(b.mul(block, p.outHeight), y), p.outWidth), x), kBlockBytes);
        for (int64_t i = 0; i < w::kOutput; ++i)
          for (int64_t j = 0; j < w::kOutput; ++j) {
            auto storeResult = [&] {
              Value value = results[i * w::kOutput + j];
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
      });
    });
  });
  return {symbol.str(), blocks * sizes.rows, 0};
}

} // namespace cnn::cpu
