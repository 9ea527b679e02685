// Products of matrices of random shapes in every transposition against plain loops in double precision, on every
// instruction set of this machine; images lie further apart than they need, as in a workspace, between memory that no
// one may touch; and the same bits however the work is cut.
#include "codegen/cpu/GemmKernel.h"
#include "test/unit/codegen/cpu/KernelJit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

using namespace cnn::cpu;

namespace {

/// A row-major matrix, whose rows are images where it has a batch.
struct Matrix {
  int64_t rows, columns, stride; ///< In elements.
  Floats values;

  Matrix(int64_t rows, int64_t columns, bool batched)
      : rows(rows), columns(columns), stride(batched ? (columns + 15) / 16 * 16 : columns),
        values((rows - 1) * stride + columns, NAN) {}
  void fill(std::mt19937 &random) {
    std::uniform_real_distribution<float> distribution(-1, 1);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < columns; ++column)
        at(row, column) = distribution(random);
  }
  float &at(int64_t row, int64_t column) const { return values[row * stride + column]; }
};

struct Case {
  GemmProblem problem;
  int64_t rows, columns, depth; ///< With the batch filled in.
  Matrix lhs, rhs;

  Case(const GemmProblem &p, int64_t batch, std::mt19937 &random)
      : problem(p), rows(p.batch == GemmBatch::Rows ? batch : p.rows), columns(p.columns),
        depth(p.batch == GemmBatch::Depth ? batch : p.depth),
        lhs(p.transposeLhs ? depth : rows, p.transposeLhs ? rows : depth, p.batch != GemmBatch::None),
        rhs(p.transposeRhs ? columns : depth, p.transposeRhs ? depth : columns, p.batch == GemmBatch::Depth) {
    lhs.fill(random);
    rhs.fill(random);
  }

  int64_t batch() const { return problem.batch == GemmBatch::Rows ? rows : depth; }
  Matrix result() const { return {rows, columns, problem.batch == GemmBatch::Rows}; }

  void expectResult(const Matrix &result) const {
    for (int64_t m = 0; m < rows; ++m)
      for (int64_t n = 0; n < columns; ++n) {
        double sum = 0, magnitude = 0;
        for (int64_t k = 0; k < depth; ++k) {
          double product = double(problem.transposeLhs ? lhs.at(k, m) : lhs.at(m, k)) *
                           (problem.transposeRhs ? rhs.at(n, k) : rhs.at(k, n));
          sum += product;
          magnitude += std::abs(product);
        }
        ASSERT_LE(std::abs(result.at(m, n) - sum), 6e-8 * double(depth + 2) * magnitude)
            << result.at(m, n) << " for " << sum << " at " << m << ", " << n;
      }
  }
};

class GemmTest : public testing::TestWithParam<Isa> {
protected:
  void SetUp() override {
    if (!hostSupports(GetParam()))
      GTEST_SKIP() << "this machine has no " << isaInfo(GetParam()).name.str();
  }

  /// The product, by `calls` calls from the last units to the first.
  Matrix run(const Case &data, const GemmTile &tile, int64_t calls) {
    KernelInfo info;
    KernelJit jit(GetParam(), [&](KernelBuilder &b) { info = buildGemmKernel(b, "gemm", data.problem, tile, {}); });
    Matrix result = data.result();
    Floats scratch(info.scratchBytes / 4, NAN);
    std::vector<char *> buffers = {data.lhs.values.bytes(), data.rhs.values.bytes(), result.values.bytes()};
    bool rows = data.problem.batch == GemmBatch::Rows, depth = data.problem.batch == GemmBatch::Depth;
    std::vector<int64_t> strides = {rows || depth ? data.lhs.stride * 4 : 0, depth ? data.rhs.stride * 4 : 0,
                                    rows ? result.stride * 4 : 0};
    int64_t units = info.fixedUnits + info.unitsPerImage * data.batch();
    for (int64_t call = calls; call-- > 0;)
      jit.lookup("gemm")(buffers.data(), strides.data(), data.batch(), call * units / calls, (call + 1) * units / calls,
                         scratch.bytes());
    return result;
  }
};

GemmProblem randomProblem(std::mt19937 &random, GemmBatch batch) {
  auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
  GemmProblem p;
  p.batch = batch;
  p.rows = pick(0, 3) ? pick(1, 40) : pick(100, 300);
  p.columns = pick(0, 1) ? pick(1, 130) : 16 * pick(1, 8);
  p.depth = pick(0, 1) ? pick(1, 70) : 16 * pick(1, 6);
  p.transposeLhs = batch == GemmBatch::Depth || (batch == GemmBatch::None && pick(0, 1));
  p.transposeRhs = batch != GemmBatch::Depth && pick(0, 1);
  return p;
}

TEST_P(GemmTest, RandomShapes) {
  for (unsigned seed = 1; seed <= 24; ++seed) {
    std::mt19937 random(seed);
    GemmProblem p = randomProblem(random, static_cast<GemmBatch>(seed % 3));
    int64_t batch = seed % 4 == 0 ? 300 + seed : 1 + seed * 7 % 40;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", batch " + std::to_string(batch) + ": " + p.str());
    Case data(p, batch, random);
    data.expectResult(run(data, chooseGemmTile(p, GetParam()), 1 + seed % 3));
    if (HasFatalFailure())
      return;
  }
}

TEST_P(GemmTest, SameBitsHoweverTheWorkIsCut) {
  std::mt19937 random(2);
  for (GemmBatch batch : {GemmBatch::Rows, GemmBatch::Depth}) {
    GemmProblem p = randomProblem(random, batch);
    Case data(p, 61, random);
    Matrix first = run(data, chooseGemmTile(p, GetParam()), 1);
    for (int64_t calls : {2, 7}) {
      Matrix second = run(data, {3, 2}, calls);
      for (int64_t row = 0; row < data.rows; ++row)
        EXPECT_EQ(0, memcmp(&first.at(row, 0), &second.at(row, 0), 4 * data.columns)) << p.str();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Isas, GemmTest, testing::ValuesIn(allIsas().begin(), allIsas().end()),
                         [](const auto &info) { return isaInfo(info.param).name.str(); });

} // namespace
