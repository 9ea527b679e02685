// Dense layers and products of row-major matrices (MatrixKernels.h), and what all matrix kernels share.
#include "codegen/cuda/Convolution.h"
#include "codegen/cuda/MatrixKernels.h"
#include "codegen/cuda/SlicedProduct.h"

#include "codegen/cpu/Kernels.h"
#include "passes/TargetModel.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cnn::cuda {

using cpu::EpilogueEmitter;
using cpu::GemmBatch;
using cpu::GemmProblem;

static constexpr int64_t kWidth = 4;

bool hasTile(Algorithm algorithm) {
  return algorithm == Algorithm::Matmul || algorithm == Algorithm::Conv || algorithm == Algorithm::WeightGrad;
}

ScheduleAttr chooseSchedule(GroupOp group, Algorithm algorithm, const Architecture &architecture, int64_t threads) {
  if (algorithm == Algorithm::Depthwise)
    return ScheduleAttr::get(group.getContext(), algorithm, threads, depthwisePositions(group));
  if (!hasTile(algorithm))
    return ScheduleAttr::get(group.getContext(), algorithm, threads);
  MatmulSizes sizes = algorithm == Algorithm::Conv     ? convSizes(group)
                      : algorithm == Algorithm::Matmul ? matmulSizes(group)
                                                       : weightGradSizes(group);
  // Gradients by weights read both factors across k, which stages of warpgroups take 4 bytes at a time.
  Precision precision = algorithm == Algorithm::WeightGrad ? Precision::F32 : precisionOf(group.getAnchor());
  int64_t slices = isSliceable(group, algorithm) ? chooseSlices(sizes) : 1;
  return scheduleOf(group.getContext(), algorithm, chooseMatmulTile(sizes, architecture, precision), slices);
}

ScheduleAttr scheduleOf(MLIRContext *context, Algorithm algorithm, const MatmulTile &tile, int64_t slices) {
  return ScheduleAttr::get(context, algorithm, tile.threads(), tile.rows, tile.columns, tile.depth, tile.stages,
                           tile.ofWarpgroups, slices);
}

bool isSliceable(GroupOp group, Algorithm algorithm) {
  return algorithm == Algorithm::Conv ||
         (algorithm == Algorithm::Matmul && cpu::gemmProblemOf(group).batch == GemmBatch::Rows);
}

MatmulTile matmulTile(ScheduleAttr schedule) {
  return {schedule.getRows(), schedule.getColumns(), schedule.getDepth(), schedule.getStages(),
          schedule.getWarpgroups()};
}

int64_t operandOf(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  return argument ? argument.getArgNumber() : -1;
}

Precision precisionOf(Operation *anchor) {
  auto precision = anchor->getAttrOfType<PrecisionAttr>("precision");
  return precision ? precision.getValue() : Precision::F32;
}

DeviceLaunch matmulLaunch(const MatmulTile &tile, int64_t columns, Precision precision) {
  DeviceLaunch launch;
  launch.unitsPerBlock = tile.rows;
  launch.gridY = llvm::divideCeil(columns, tile.columns);
  launch.blockThreads = tile.threads();
  launch.sharedBytes = tile.sharedBytes(precision);
  return launch;
}

void ifBelow(DeviceBuilder &b, Value value, Value limit, bool always, llvm::function_ref<void()> body) {
  if (always)
    body();
  else
    b.ifThen(b.lessThan(value, limit), body);
}

MatmulFactor factorOf(DeviceBuilder &b, const StoredMatrix &matrix) {
  auto rowAt = [&b, matrix](Value row) {
    return matrix.ofImages ? b.imageOf(matrix.operand, row)
                           : b.offset(b.buffer(matrix.operand), b.mul(row, matrix.rowElements * 4));
  };
  MatmulFactor factor;
  factor.alongDepth = matrix.alongDepth;
  bool isAligned = matrix.rowElements % kWidth == 0 && b.operand(matrix.operand).alignment % (kWidth * 4) == 0;
  factor.width = isAligned ? kWidth : 1;
  factor.line = [&b, matrix, rowAt](Value line) {
    Value exists = matrix.lines ? b.lessThan(line, matrix.lines) : Value();
    return SmallVector<Value>{matrix.alongDepth ? rowAt(line) : b.mul(line, 4), exists};
  };
  factor.place = [&b, matrix, rowAt](ArrayRef<Value> line, Value k) {
    MatmulFactor::Place place;
    place.address = matrix.alongDepth ? b.offset(line[0], b.mul(k, 4)) : b.offset(rowAt(k), line[0]);
    place.valid = both(b, line[1], matrix.depthEnd ? b.lessThan(k, matrix.depthEnd) : Value());
    return place;
  };
  return factor;
}

std::string whyNotMatmul(GroupOp group) { return cpu::whyNotGemm(group); }

MatmulSizes matmulSizes(GroupOp group) {
  GemmProblem problem = cpu::gemmProblemOf(group);
  constexpr int64_t kUsualBatch = 64;
  return {problem.batch == GemmBatch::Rows ? 1 : problem.rows, problem.columns,
          problem.batch == GemmBatch::Depth ? kUsualBatch : problem.depth};
}

namespace {

class MatmulKernelBuilder {
public:
  MatmulKernelBuilder(DeviceBuilder &b, GroupOp group, const MatmulTile &tile, int64_t slices)
      : b(b), group(group), anchor(group.getAnchor()), problem(cpu::gemmProblemOf(group)), tile(tile),
        sliced(b, tile, matmulSizes(group), slices, bodyOperands(group).size()) {}

  DeviceKernel build(StringRef symbol, ArrayRef<DeviceOperand> known) {
    DeviceKernel kernel;
    kernel.symbol = symbol.str();
    bool ofImages = problem.batch == GemmBatch::Rows;
    kernel.unitsPerImage = ofImages;
    kernel.fixedUnits = ofImages ? 0 : problem.rows;
    kernel.launch = matmulLaunch(tile, problem.columns, precisionOf(anchor));
    b.deviceKernel(symbol, known, tile.threads(), [&] {
      bool sumsImages = problem.batch == GemmBatch::Depth;
      MatmulPart part = sliced.part();
      if (sumsImages)
        part.depthEnd = b.batch();
      StoredMatrix lhs, rhs;
      lhs.operand = operandOf(anchor->getOperand(0));
      lhs.alongDepth = !problem.transposeLhs;
      lhs.ofImages = ofImages || sumsImages;
      lhs.rowElements = problem.transposeLhs ? problem.rows : problem.depth;
      if (ofImages || problem.rows % tile.rows)
        lhs.lines = b.units();
      rhs.operand = operandOf(anchor->getOperand(1));
      rhs.alongDepth = problem.transposeRhs;
      rhs.ofImages = sumsImages;
      rhs.rowElements = problem.transposeRhs ? problem.depth : problem.columns;
      if (problem.columns % tile.columns)
        rhs.lines = b.index(problem.columns);
      if (sumsImages || problem.depth % tile.depth)
        lhs.depthEnd = rhs.depthEnd = sumsImages ? b.batch() : b.index(problem.depth);
      auto storeRow = [&](Value row, ArrayRef<MatmulSums> sums) {
        ifBelow(b, row, b.units(), !ofImages && problem.rows % tile.rows == 0,
                [&] { ofImages ? storeImage(row, sums) : storeFixed(row, sums); });
      };
      buildMatmulTile(b, tile, precisionOf(anchor), factorOf(b, lhs), factorOf(b, rhs), part,
                      [&](Value row, ArrayRef<MatmulSums> sums) { sliced.storePart(row, sums, storeRow); });
    });
    return kernel;
  }
  /// Of a product whose rows are images.
  DeviceKernel buildJoin(StringRef symbol, ArrayRef<DeviceOperand> known) {
    return sliced.buildJoin(symbol, known, kJoinThreads,
                            [&](Value row, ArrayRef<MatmulSums> sums) { storeImage(row, sums); });
  }

private:
  /// Calls `store` with four columns at a time where rows are whole groups of four of them, else with one.
  void forColumns(const MatmulSums &sums, llvm::function_ref<void(Value column, Value values, int64_t width)> store) {
    Value end = b.index(problem.columns);
    if (problem.columns % kWidth == 0)
      return ifBelow(b, sums.column, end, problem.columns % tile.columns == 0,
                     [&] { store(sums.column, sums.values, kWidth); });
    for (int64_t i = 0; i < kWidth; ++i) {
      Value column = b.add(sums.column, i);
      ifBelow(b, column, end, false, [&] { store(column, vector::ExtractOp::create(b, sums.values, i), /*width=*/1); });
    }
  }

  /// A row of a result whose rows are images, with the group's epilogue.
  void storeImage(Value image, ArrayRef<MatmulSums> sums) {
    EpilogueEmitter emitter(group);
    SmallVector<Value> images = emitter.images(b, image);
    // The tensors of the result's shape, which are read and written four elements at a time.
    bool isAligned = true;
    SmallVector<Type> types(group->getOperandTypes());
    llvm::append_range(types, group->getResultTypes());
    for (auto [number, type] : llvm::enumerate(types))
      if (cast<RankedTensorType>(type).getShape() == cast<RankedTensorType>(group.getResult(0).getType()).getShape())
        isAligned &= b.operand(number).alignment % (kWidth * elementBytes(getElementTypeOrSelf(type))) == 0;
    for (const MatmulSums &four : sums)
      forColumns(four, [&](Value column, Value values, int64_t width) {
        EpilogueEmitter::Position at;
        at.images = images;
        at.bytes = b.mul(column, 4);
        at.channel = column;
        at.width = width;
        at.multiple = isAligned ? width : 1;
        at.isWhole = true;
        emitter.emitAndStore(b, at, values);
      });
  }

  void storeFixed(Value row, ArrayRef<MatmulSums> sums) {
    int64_t result = group->getNumOperands();
    Value address = b.offset(b.buffer(result), b.mul(row, problem.columns * 4));
    for (const MatmulSums &four : sums)
      forColumns(four, [&](Value column, Value values, int64_t width) {
        b.store(values, b.offset(address, b.mul(column, 4)), 0,
                b.operand(result).alignment % (width * 4) == 0 ? width * 4 : 4);
      });
  }

  DeviceBuilder &b;
  GroupOp group;
  Operation *anchor;
  GemmProblem problem;
  const MatmulTile &tile;
  SlicedProduct sliced;
};

} // namespace

GroupKernels buildMatmulKernel(DeviceBuilder &b, StringRef symbol, GroupOp group, const MatmulTile &tile,
                               int64_t slices, ArrayRef<DeviceOperand> known) {
  MatmulKernelBuilder builder(b, group, tile, slices);
  return slicedKernels(
      group, symbol, slices, known,
      [&](StringRef name, ArrayRef<DeviceOperand> operands) { return builder.build(name, operands); },
      [&](StringRef name, ArrayRef<DeviceOperand> operands) { return builder.buildJoin(name, operands); });
}

} // namespace cnn::cuda
