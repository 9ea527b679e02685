// Convolutions and products of matrices. The sum of an output element runs over channels, then rows, then columns of
// the kernel; the innermost loops run along rows of outputs, so that whole networks can be evaluated.
#include "ir/Winograd.h"
#include "ir/reference/Operations.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cnn::reference {

/// Outputs [begin, end) of `outputs` whose tap lies within the input: 0 <= i * stride + offset < inputs.
static std::pair<int64_t, int64_t> inside(int64_t outputs, int64_t inputs, int64_t stride, int64_t offset) {
  int64_t begin = offset < 0 ? llvm::divideCeil(-offset, stride) : 0;
  int64_t end = inputs - offset > 0 ? llvm::divideCeil(inputs - offset, stride) : 0;
  return {std::min(begin, outputs), std::min(end, outputs)};
}

static Tensor conv2d(Conv2dOp op, const Application &at) {
  const Tensor &x = at.operand(0), &weight = at.operand(1);
  ArrayRef<int64_t> strides = op.getStrides(), padding = op.getPadding(), dilations = op.getDilations();
  int64_t outputs = at.shape[1], rows = at.shape[2], columns = at.shape[3];
  int64_t channels = weight.shape[1], kh = weight.shape[2], kw = weight.shape[3], h = x.shape[2], w = x.shape[3];
  int64_t outputsOfGroup = outputs / int64_t(op.getGroups());
  // A 1x1 convolution knows no neighbours: an image is one long row.
  if (kh == 1 && kw == 1 && rows == h && columns == w && strides == ArrayRef<int64_t>{1, 1}) {
    columns = w = rows * columns;
    rows = h = 1;
  }
  Tensor result(at.shape);
  parallelFor(at.shape[0] * outputs, at.threads, [&](int64_t plane) {
    int64_t n = plane / outputs, o = plane % outputs;
    const double *image = x.data() + (n * x.shape[1] + o / outputsOfGroup * channels) * h * w;
    const double *kernel = weight.data() + o * channels * kh * kw;
    double *out = result.data() + plane * rows * columns;
    std::fill_n(out, rows * columns, op.getBias() ? at.operand(2).values[o] : 0.0);
    for (int64_t row = 0; row < rows; ++row, out += columns)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t i = 0; i < kh; ++i) {
          int64_t from = row * strides[0] - padding[0] + i * dilations[0];
          if (from < 0 || from >= h)
            continue;
          for (int64_t j = 0; j < kw; ++j) {
            double factor = kernel[(c * kh + i) * kw + j];
            int64_t offset = j * dilations[1] - padding[2], stride = strides[1];
            auto [begin, end] = inside(columns, w, stride, offset);
            const double *in = image + (c * h + from) * w + offset;
            if (stride == 1)
              for (int64_t column = begin; column < end; ++column)
                out[column] += factor * in[column];
            else
              for (int64_t column = begin; column < end; ++column)
                out[column] += factor * in[column * stride];
          }
        }
  });
  return result;
}

/// result[n, c, y*sh - top + i*dh, x*sw - left + j*dw] += weight[o, c, i, j] * input[n, o, y, x], from bias[c]
static Tensor conv2dTranspose(Conv2dTransposeOp op, const Application &at) {
  const Tensor &input = at.operand(0), &weight = at.operand(1);
  ArrayRef<int64_t> strides = op.getStrides(), padding = op.getPadding(), dilations = op.getDilations();
  int64_t channels = at.shape[1], h = at.shape[2], w = at.shape[3], groups = op.getGroups();
  int64_t outputs = input.shape[1], rows = input.shape[2], columns = input.shape[3];
  int64_t channelsOfGroup = weight.shape[1], kh = weight.shape[2], kw = weight.shape[3];
  Tensor result(at.shape);
  parallelFor(at.shape[0] * channels, at.threads, [&](int64_t plane) {
    int64_t n = plane / channels, c = plane % channels, group = c / channelsOfGroup;
    double *to = result.data() + plane * h * w;
    std::fill_n(to, h * w, op.getBias() ? at.operand(2).values[c] : 0.0);
    for (int64_t o = group * (outputs / groups); o < (group + 1) * (outputs / groups); ++o)
      for (int64_t i = 0; i < kh; ++i)
        for (int64_t j = 0; j < kw; ++j) {
          double factor = weight.values[((o * channelsOfGroup + c % channelsOfGroup) * kh + i) * kw + j];
          int64_t offset = j * dilations[1] - padding[2];
          auto [begin, end] = inside(columns, w, strides[1], offset);
          for (int64_t y = 0; y < rows; ++y) {
            int64_t row = y * strides[0] - padding[0] + i * dilations[0];
            if (row < 0 || row >= h)
              continue;
            const double *from = input.data() + ((n * outputs + o) * rows + y) * columns;
            for (int64_t x = begin; x < end; ++x)
              to[row * w + x * strides[1] + offset] += factor * from[x];
          }
        }
  });
  return result;
}

/// result[o, c, i, j] = sum over n, y, x of gradient[n, o, y, x] * input[n, c, y*sh - top + i*dh, x*sw - left + j*dw]
static Tensor conv2dWeightGrad(Conv2dWeightGradOp op, const Application &at) {
  const Tensor &input = at.operand(0), &gradient = at.operand(1);
  ArrayRef<int64_t> strides = op.getStrides(), padding = op.getPadding(), dilations = op.getDilations();
  int64_t channels = input.shape[1], h = input.shape[2], w = input.shape[3];
  int64_t batch = input.shape[0], outputs = at.shape[0], rows = gradient.shape[2], columns = gradient.shape[3];
  int64_t channelsOfGroup = at.shape[1], outputsOfGroup = outputs / int64_t(op.getGroups());
  int64_t kh = at.shape[2], kw = at.shape[3];
  Tensor result(at.shape);
  parallelFor(outputs * channelsOfGroup, at.threads, [&](int64_t kernel) {
    int64_t o = kernel / channelsOfGroup, c = o / outputsOfGroup * channelsOfGroup + kernel % channelsOfGroup;
    for (int64_t i = 0; i < kh; ++i)
      for (int64_t j = 0; j < kw; ++j) {
        int64_t offset = j * dilations[1] - padding[2];
        auto [begin, end] = inside(columns, w, strides[1], offset);
        double sum = 0;
        for (int64_t n = 0; n < batch; ++n)
          for (int64_t y = 0; y < rows; ++y) {
            int64_t row = y * strides[0] - padding[0] + i * dilations[0];
            if (row < 0 || row >= h)
              continue;
            const double *x = input.data() + ((n * channels + c) * h + row) * w + offset;
            const double *g = gradient.data() + ((n * outputs + o) * rows + y) * columns;
            for (int64_t column = begin; column < end; ++column)
              sum += g[column] * x[column * strides[1]];
          }
        result.values[(kernel * kh + i) * kw + j] = sum;
      }
  });
  return result;
}

/// y[n, o] = bias[o] + sum over i of x[n, i] * weight[o, i]
static Tensor dense(DenseOp op, const Application &at) {
  const Tensor &x = at.operand(0), &weight = at.operand(1);
  int64_t batch = at.shape[0], outputs = at.shape[1], inputs = weight.shape[1];
  Tensor result(at.shape);
  parallelFor(outputs, at.threads, [&](int64_t o) {
    const double *row = weight.data() + o * inputs;
    for (int64_t n = 0; n < batch; ++n) {
      double sum = op.getBias() ? at.operand(2).values[o] : 0;
      for (int64_t i = 0; i < inputs; ++i)
        sum += x.values[n * inputs + i] * row[i];
      result.values[n * outputs + o] = sum;
    }
  });
  return result;
}

/// result[i, j] = sum over k of lhs(i, k) * rhs(k, j), each transposed or not
static Tensor matmul(MatmulOp op, const Application &at) {
  const Tensor &lhs = at.operand(0), &rhs = at.operand(1);
  int64_t rows = at.shape[0], columns = at.shape[1], inner = lhs.shape[op.getTransposeLhs() ? 0 : 1];
  int64_t lhsRow = op.getTransposeLhs() ? 1 : inner, lhsInner = op.getTransposeLhs() ? rows : 1;
  int64_t rhsInner = op.getTransposeRhs() ? 1 : columns, rhsColumn = op.getTransposeRhs() ? inner : 1;
  Tensor result(at.shape);
  parallelFor(rows, at.threads, [&](int64_t i) {
    double *out = result.data() + i * columns;
    for (int64_t k = 0; k < inner; ++k)
      for (int64_t j = 0; j < columns; ++j)
        out[j] += lhs.values[i * lhsRow + k * lhsInner] * rhs.values[k * rhsInner + j * rhsColumn];
  });
  return result;
}

/// to = m from mᵀ, for m of Rows x Columns.
template <int Rows, int Columns>
static void transform(const double (&m)[Rows][Columns], const double (&from)[Columns][Columns],
                      double (&to)[Rows][Rows]) {
  double half[Rows][Columns] = {};
  for (int p = 0; p < Rows; ++p)
    for (int j = 0; j < Columns; ++j)
      for (int i = 0; i < Columns; ++i)
        half[p][j] += m[p][i] * from[i][j];
  for (int p = 0; p < Rows; ++p)
    for (int q = 0; q < Rows; ++q) {
      to[p][q] = 0;
      for (int j = 0; j < Columns; ++j)
        to[p][q] += half[p][j] * m[q][j];
    }
}

/// result[p, q, o, c] = (G weight[o, c] Gᵀ)[p, q]
static Tensor winogradWeights(const Application &at) {
  using namespace winograd;
  const Tensor &weight = at.operand(0);
  int64_t kernels = weight.shape[0] * weight.shape[1];
  Tensor result(at.shape);
  parallelFor(kernels, at.threads, [&](int64_t k) {
    double g[kKernel][kKernel], u[kTile][kTile];
    std::copy_n(weight.data() + k * kKernel * kKernel, kKernel * kKernel, &g[0][0]);
    transform(G, g, u);
    for (int p = 0; p < kTile * kTile; ++p)
      result.values[p * kernels + k] = u[p / kTile][p % kTile];
  });
  return result;
}

/// Each tile of 4 x 4 outputs is Aᵀ [ sum over c of u[.., o, c] ⊙ (Bt d[c] Btᵀ) ] A + bias[o], d the 6 x 6 inputs under
/// it.
static Tensor winogradConv2d(WinogradConv2dOp op, const Application &at) {
  using namespace winograd;
  const Tensor &x = at.operand(0), &u = at.operand(1);
  int64_t channels = x.shape[1], h = x.shape[2], w = x.shape[3], top = op.getPadding()[0], left = op.getPadding()[2];
  int64_t outputs = at.shape[1], rows = at.shape[2], columns = at.shape[3];
  int64_t tileRows = llvm::divideCeil(rows, kOutput), tileColumns = llvm::divideCeil(columns, kOutput);
  double At[kOutput][kTile];
  for (int p = 0; p < kTile; ++p)
    for (int k = 0; k < kOutput; ++k)
      At[k][p] = A[p][k];

  Tensor result(at.shape);
  parallelFor(at.shape[0] * tileRows * tileColumns, at.threads, [&](int64_t tile) {
    int64_t n = tile / (tileRows * tileColumns);
    int64_t row = tile / tileColumns % tileRows * kOutput, column = tile % tileColumns * kOutput;
    // v[p, q][c] = (Bt d[c] Btᵀ)[p, q]
    std::vector<double> v(kTile * kTile * channels);
    for (int64_t c = 0; c < channels; ++c) {
      double d[kTile][kTile], transformed[kTile][kTile];
      for (int i = 0; i < kTile; ++i)
        for (int j = 0; j < kTile; ++j) {
          int64_t y = row - top + i, z = column - left + j;
          bool within = y >= 0 && y < h && z >= 0 && z < w;
          d[i][j] = within ? x.values[((n * channels + c) * h + y) * w + z] : 0;
        }
      transform(Bt, d, transformed);
      for (int p = 0; p < kTile * kTile; ++p)
        v[p * channels + c] = transformed[p / kTile][p % kTile];
    }
    for (int64_t o = 0; o < outputs; ++o) {
      double sums[kTile][kTile], y[kOutput][kOutput];
      for (int p = 0; p < kTile * kTile; ++p) {
        const double *weights = u.data() + (p * outputs + o) * channels;
        double sum = 0;
        for (int64_t c = 0; c < channels; ++c)
          sum += weights[c] * v[p * channels + c];
        sums[p / kTile][p % kTile] = sum;
      }
      transform(At, sums, y);
      double bias = op.getBias() ? at.operand(2).values[o] : 0;
      for (int64_t i = 0; i < std::min<int64_t>(kOutput, rows - row); ++i)
        for (int64_t j = 0; j < std::min<int64_t>(kOutput, columns - column); ++j)
          result.values[((n * outputs + o) * rows + row + i) * columns + column + j] = y[i][j] + bias;
    }
  });
  return result;
}

std::optional<Tensor> evaluateContraction(const Application &at) {
  using Result = std::optional<Tensor>;
  return llvm::TypeSwitch<Operation *, Result>(at.op)
      .Case([&](Conv2dOp op) -> Result { return conv2d(op, at); })
      .Case([&](Conv2dTransposeOp op) -> Result { return conv2dTranspose(op, at); })
      .Case([&](Conv2dWeightGradOp op) -> Result { return conv2dWeightGrad(op, at); })
      .Case([&](DenseOp op) -> Result { return dense(op, at); })
      .Case([&](MatmulOp op) -> Result { return matmul(op, at); })
      .Case([&](WinogradWeightsOp) -> Result { return winogradWeights(at); })
      .Case([&](WinogradConv2dOp op) -> Result { return winogradConv2d(op, at); })
      .Default(Result());
}

} // namespace cnn::reference
