// Every gradient rule against central differences, on random shapes. The table has an entry for every operation that
// has a rule, and a test says which operations have none.
#include "test/grad/Gradients.h"

#include <map>
#include <set>

using namespace mlir;
using namespace cnn;
using namespace cnn::test;

namespace {
/// One random configuration of one operation.
struct Case {
  Random random;
  std::string what;
  /// Whether the gradients' gradients are compared, too.
  bool second = false;

  int64_t integer(int64_t low, int64_t high) { return random.integer(low, high); }
  bool flip() { return random.integer(0, 1); }
  Shape shape(int64_t rank) {
    Shape result;
    for (int64_t i = 0; i < rank; ++i)
      result.push_back(integer(1, 4));
    return result;
  }
  void check(const std::vector<Argument> &arguments, const Formula &formula) {
    (second ? expectSecondGradients : expectGradients)(random, what, arguments, formula);
  }
};
using Run = std::function<void(Case &)>;

/// Strides, padding, dilations and groups of a convolution, and what it is applied to.
struct Convolution {
  int64_t groups, channels, outputs;
  Shape kernel, strides, padding, dilations, image, result;

  explicit Convolution(Case &c) : groups(c.integer(1, 3)) {
    channels = groups * c.integer(1, 2);
    outputs = groups * c.integer(1, 2);
    for (int axis = 0; axis < 2; ++axis) {
      kernel.push_back(c.integer(1, 3));
      strides.push_back(c.integer(1, 3));
      dilations.push_back(c.integer(1, 2));
      padding.push_back(c.integer(0, 2));
      padding.push_back(c.integer(0, 2));
      image.push_back(c.integer((kernel[axis] - 1) * dilations[axis] + 1, 7));
      result.push_back(*windowedExtent(image[axis], padding[2 * axis], padding[2 * axis + 1], kernel[axis],
                                       strides[axis], dilations[axis]));
    }
    c.what += ", kernel " + list(kernel) + ", strides " + list(strides) + ", padding " + list(padding) +
              ", dilations " + list(dilations) + ", groups " + std::to_string(groups);
  }
  SmallVector<NamedAttribute> attributes(TensorBuilder &b) const {
    return {b.ints("strides", strides), b.ints("padding", padding), b.ints("dilations", dilations),
            b.integer("groups", groups)};
  }
  Argument input(int64_t n) const { return {{n, channels, image[0], image[1]}, true}; }
  Argument output(int64_t n) const { return {{n, outputs, result[0], result[1]}, true}; }
  Argument weight() const { return {{outputs, channels / groups, kernel[0], kernel[1]}}; }
};

/// Kernel, strides, padding and rounding of a pooling.
struct Pool {
  Shape kernel, strides, padding, image, result;
  bool ceil;

  explicit Pool(Case &c) : ceil(c.flip()) {
    for (int axis = 0; axis < 2; ++axis) {
      kernel.push_back(c.integer(1, 3));
      strides.push_back(c.integer(1, 3));
      padding.push_back(c.integer(0, kernel[axis] - 1));
      padding.push_back(c.integer(0, kernel[axis] - 1));
      image.push_back(c.integer(kernel[axis], 6));
      result.push_back(
          *windowedExtent(image[axis], padding[2 * axis], padding[2 * axis + 1], kernel[axis], strides[axis], 1, ceil));
    }
    c.what += ", kernel " + list(kernel) + ", strides " + list(strides) + ", padding " + list(padding) +
              (ceil ? ", ceil" : "");
  }
  SmallVector<NamedAttribute> attributes(TensorBuilder &b) const {
    return {b.ints("kernel", kernel), b.ints("strides", strides), b.ints("padding", padding), b.flag("ceil", ceil)};
  }
  Argument input() const { return {{2, 2, image[0], image[1]}, true}; }
  Argument output() const { return {{2, 2, result[0], result[1]}, true}; }
};
} // namespace

static SmallVector<NamedAttribute> with(SmallVector<NamedAttribute> attributes, NamedAttribute more) {
  attributes.push_back(more);
  return attributes;
}

template <typename Op> static Run unary(double low = -2, double high = 2) {
  return [=](Case &c) {
    c.check({{c.shape(c.integer(1, 4)), c.flip(), low, high}},
            [](TensorBuilder &b, ValueRange x) { return weigh(b, b.make<Op>(x[0])); });
  };
}

template <typename Op> static Run binary(double low = -2) {
  return [=](Case &c) {
    Shape shape = c.shape(c.integer(1, 4));
    bool batched = c.flip();
    c.check({{shape, batched}, {shape, batched, low, 2}},
            [](TensorBuilder &b, ValueRange x) { return weigh(b, b.make<Op>({x[0], x[1]})); });
  };
}

static void matmul(Case &c) {
  int64_t rows = c.integer(1, 4), inner = c.integer(1, 4), columns = c.integer(1, 4);
  bool left = c.flip(), right = c.flip();
  c.check({{left ? Shape{inner, rows} : Shape{rows, inner}, c.flip() && !left},
           {right ? Shape{columns, inner} : Shape{inner, columns}}},
          [=](TensorBuilder &b, ValueRange x) { return weigh(b, b.matmul(x[0], x[1], left, right)); });
}

static void reduce(Case &c) {
  auto kind = static_cast<ReduceKind>(c.integer(0, 3));
  Shape shape = c.shape(c.integer(1, 4)), dims;
  for (int64_t dim = 0; dim < int64_t(shape.size()); ++dim)
    if (c.flip())
      dims.push_back(dim);
  c.what += " of kind " + stringifyReduceKind(kind).str() + " over " + list(dims);
  c.check({{shape, c.flip()}}, [=](TensorBuilder &b, ValueRange x) { return weigh(b, b.reduce(kind, x[0], dims)); });
}

static void broadcast(Case &c) {
  Shape shape = c.shape(4), from, dims;
  bool batched = c.flip();
  for (int64_t dim = 0; dim < 4; ++dim)
    if (c.flip() && !(batched && dim == 0)) {
      dims.push_back(dim);
      from.push_back(c.flip() ? 1 : shape[dim]);
    }
  // The batch is known from the second argument.
  c.check({{from}, {shape, batched}}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(
        b, b.mul(b.make<BroadcastOp>(x[0], {b.ints("dims", dims), b.ints("shape", TensorBuilder::extentsOf(x[1]))}),
                 x[1]));
  });
}

static void concat(Case &c) {
  Shape first = c.shape(3), second = first;
  int64_t axis = c.integer(1, 2);
  second[axis] = c.integer(1, 4);
  c.check({{first, true}, {second, true}}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<ConcatOp>({x[0], x[1], x[0]}, {b.integer("axis", axis)}));
  });
}

/// Starts and steps of a part of `whole`, of the shape `part`.
static void choosePart(Case &c, const Shape &whole, Shape &part, Shape &starts, Shape &steps) {
  for (int64_t extent : whole) {
    starts.push_back(c.integer(0, extent - 1));
    steps.push_back(c.integer(1, 3));
    part.push_back(c.integer(1, (extent - 1 - starts.back()) / steps.back() + 1));
  }
}

static void slice(Case &c) {
  Shape whole = {c.integer(1, 5), c.integer(1, 7), c.integer(1, 7)}, part, starts, steps;
  choosePart(c, whole, part, starts, steps);
  c.check({{whole}}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<SliceOp>(x[0], {b.ints("starts", starts), b.ints("sizes", part), b.ints("steps", steps)}));
  });
}

static void unslice(Case &c) {
  Shape whole = {c.integer(1, 5), c.integer(1, 7), c.integer(1, 7)}, part, starts, steps;
  choosePart(c, whole, part, starts, steps);
  c.check({{part}}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b,
                 b.make<UnsliceOp>(x[0], {b.ints("starts", starts), b.ints("steps", steps), b.ints("shape", whole)}));
  });
}

template <typename Op> static void pad(Case &c) {
  Shape shape = {2, c.integer(1, 4), c.integer(1, 4)}, low = {0}, high = {0}, padded = {2};
  bool reflect = std::is_same_v<Op, PadGradOp> || c.flip();
  for (int axis = 1; axis < 3; ++axis) {
    low.push_back(c.integer(0, reflect ? shape[axis] - 1 : 2));
    high.push_back(c.integer(0, reflect ? shape[axis] - 1 : 2));
    padded.push_back(shape[axis] + low[axis] + high[axis]);
  }
  c.what += reflect ? ", mirrored" : "";
  c.check({{std::is_same_v<Op, PadGradOp> ? padded : shape, true}}, [=](TensorBuilder &b, ValueRange x) {
    SmallVector<NamedAttribute> attributes = {b.ints("low", low), b.ints("high", high)};
    if (std::is_same_v<Op, PadOp>) {
      auto mode = PadModeAttr::get(b.builder().getContext(), reflect ? PadMode::Reflect : PadMode::Constant);
      attributes.push_back(b.builder().getNamedAttr("mode", mode));
      attributes.push_back(b.number("value", 0.5));
    }
    return weigh(b, b.make<Op>(x[0], attributes));
  });
}

static void conv2d(Case &c) {
  Convolution conv(c);
  std::vector<Argument> arguments = {conv.input(2), conv.weight()};
  if (c.flip())
    arguments.push_back({{conv.outputs}});
  c.check(arguments, [=](TensorBuilder &b, ValueRange x) { return weigh(b, b.make<Conv2dOp>(x, conv.attributes(b))); });
}

static void conv2dTranspose(Case &c) {
  Convolution conv(c);
  std::vector<Argument> arguments = {conv.output(2), conv.weight()};
  if (c.flip())
    arguments.push_back({{conv.channels}});
  c.check(arguments, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<Conv2dTransposeOp>(x, with(conv.attributes(b), b.ints("size", conv.image))));
  });
}

static void conv2dWeightGrad(Case &c) {
  Convolution conv(c);
  c.check({conv.input(2), conv.output(2)}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<Conv2dWeightGradOp>(x, with(conv.attributes(b), b.ints("kernel", conv.kernel))));
  });
}

static void flipKernels(Case &c) {
  int64_t groups = c.integer(1, 3);
  Shape shape = {groups * c.integer(1, 3), c.integer(1, 3), c.integer(1, 3), c.integer(1, 3)};
  c.what += ", groups " + std::to_string(groups);
  c.check({{shape}}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<FlipKernelsOp>(x[0], {b.integer("groups", groups)}));
  });
}

static void avgPool(Case &c) {
  Pool pool(c);
  bool countPad = c.flip();
  c.check({pool.input()}, [=](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<AvgPoolOp>(x[0], with(pool.attributes(b), b.flag("count_pad", countPad))));
  });
}

static void avgPoolGrad(Case &c) {
  Pool pool(c);
  bool countPad = c.flip();
  c.check({pool.output()}, [=](TensorBuilder &b, ValueRange x) {
    SmallVector<NamedAttribute> attributes = with(pool.attributes(b), b.flag("count_pad", countPad));
    return weigh(b, b.make<AvgPoolGradOp>(x[0], with(attributes, b.ints("size", pool.image))));
  });
}

template <typename Op> static void resize(Case &c) {
  Shape image = {2, c.integer(1, 3), c.integer(1, 6), c.integer(1, 6)}, other = image;
  other[2] = c.integer(1, 13), other[3] = c.integer(1, 13);
  bool isBilinear = c.flip(), alignCorners = isBilinear && c.flip();
  c.what += isBilinear ? ", bilinear" : ", nearest";
  c.check({{image, true}}, [=](TensorBuilder &b, ValueRange x) {
    auto mode = ResizeModeAttr::get(b.builder().getContext(), isBilinear ? ResizeMode::Bilinear : ResizeMode::Nearest);
    return weigh(b, b.make<Op>(x[0], {b.ints("size", {other[2], other[3]}), b.builder().getNamedAttr("mode", mode),
                                      b.flag("align_corners", alignCorners)}));
  });
}

static void batchNorm(Case &c) {
  Shape shape = c.shape(c.integer(2, 4));
  Argument vector{{shape[1]}}, variance{{shape[1]}, false, 0.5, 2};
  c.check({{shape, true}, vector, vector, vector, variance}, [](TensorBuilder &b, ValueRange x) {
    return weigh(b, b.make<BatchNormOp>(x, {b.number("epsilon", 0.125)}));
  });
}

static Value drawn(TensorBuilder &b, Value like, bool isNormal) {
  auto scalar = RankedTensorType::get({}, b.builder().getI64Type());
  Value seed =
      ConstantOp::create(b.builder(), b.loc(), DenseElementsAttr::get(scalar, b.builder().getI64IntegerAttr(7)));
  SmallVector<NamedAttribute> attributes = {b.ints("shape", TensorBuilder::extentsOf(like))};
  return isNormal ? b.make<RandomNormalOp>({seed, seed, like}, attributes)
                  : b.make<RandomUniformOp>({seed, seed, like}, attributes);
}

static void random(Case &c, bool isNormal) {
  c.check({{c.shape(3), true}},
          [=](TensorBuilder &b, ValueRange x) { return weigh(b, b.mul(x[0], drawn(b, x[0], isNormal))); });
}

static const std::map<std::string, Run> &table() {
  static const std::map<std::string, Run> entries = {
      {"relu", unary<ReluOp>()},
      {"tanh", unary<TanhOp>()},
      {"sigmoid", unary<SigmoidOp>()},
      {"exp", unary<ExpOp>()},
      {"log", unary<LogOp>(0.5)},
      {"sqrt", unary<SqrtOp>(0.5)},
      {"abs", unary<AbsOp>()},
      {"neg", unary<NegOp>()},
      {"step", unary<StepOp>()},
      {"softplus", unary<SoftplusOp>()},
      {"elu",
       [](Case &c) {
         double alpha = double(c.integer(1, 4)) / 2;
         c.check({{c.shape(3)}}, [=](TensorBuilder &b, ValueRange x) {
           return weigh(b, b.make<EluOp>(x[0], {b.number("alpha", alpha)}));
         });
       }},
      {"clamp",
       [](Case &c) {
         c.check({{c.shape(3)}}, [](TensorBuilder &b, ValueRange x) { return weigh(b, b.clamp(x[0], -0.5, 0.25)); });
       }},
      {"stop_gradient",
       [](Case &c) {
         // x * x with one of them constant: the value is the other's.
         Shape shape = c.shape(2);
         Differentiated f({{shape}},
                          [](TensorBuilder &b, ValueRange x) { return b.sum(b.mul(x[0], b.stopGradient(x[0]))); });
         Tensor x = c.random.tensor(shape);
         expectNear(f.gradients({x})[0], x, 0, c.what);
       }},
      {"convert",
       [](Case &c) {
         c.second = false; // a gradient rounded to f32 is a staircase
         c.check({{c.shape(3)}}, [](TensorBuilder &b, ValueRange x) {
           return weigh(b, b.convert(b.square(x[0]), b.builder().getF64Type()));
         });
       }},
      {"add", binary<AddOp>()},
      {"sub", binary<SubOp>()},
      {"mul", binary<MulOp>()},
      {"div", binary<DivOp>(0.5)},
      {"max", binary<MaxOp>()},
      {"min", binary<MinOp>()},
      {"broadcast", broadcast},
      {"reshape",
       [](Case &c) {
         Shape shape = c.shape(3);
         bool batched = c.flip();
         SmallVector<int64_t> flat = {batched ? -1 : shape[0], shape[1] * shape[2]};
         c.check({{shape, batched}}, [=](TensorBuilder &b, ValueRange x) { return weigh(b, b.reshape(x[0], flat)); });
       }},
      {"transpose",
       [](Case &c) {
         Shape permutation = c.flip() ? Shape{0, 2, 3, 1} : Shape{0, 3, 1, 2};
         c.check({{c.shape(4), true}}, [=](TensorBuilder &b, ValueRange x) {
           return weigh(b, b.make<TransposeOp>(x[0], {b.ints("permutation", permutation)}));
         });
       }},
      {"concat", concat},
      {"slice", slice},
      {"unslice", unslice},
      {"pad", pad<PadOp>},
      {"pad_grad", pad<PadGradOp>},
      {"batch_size",
       [](Case &c) {
         c.check({{c.shape(2), true}},
                 [](TensorBuilder &b, ValueRange x) { return b.mul(weigh(b, x[0]), b.make<BatchSizeOp>(x[0])); });
       }},
      {"conv2d", conv2d},
      {"conv2d_transpose", conv2dTranspose},
      {"conv2d_weight_grad", conv2dWeightGrad},
      {"flip_kernels", flipKernels},
      {"dense",
       [](Case &c) {
         int64_t inputs = c.integer(1, 4), outputs = c.integer(1, 4);
         c.check({{{c.integer(1, 3), inputs}, true}, {{outputs, inputs}}, {{outputs}}},
                 [](TensorBuilder &b, ValueRange x) { return weigh(b, b.make<DenseOp>(x)); });
       }},
      {"matmul", matmul},
      {"max_pool",
       [](Case &c) {
         Pool pool(c);
         c.check({pool.input()},
                 [=](TensorBuilder &b, ValueRange x) { return weigh(b, b.make<MaxPoolOp>(x[0], pool.attributes(b))); });
       }},
      {"max_pool_grad",
       [](Case &c) {
         Pool pool(c);
         c.check({pool.input(), pool.output()}, [=](TensorBuilder &b, ValueRange x) {
           return weigh(b, b.make<MaxPoolGradOp>(x, pool.attributes(b)));
         });
       }},
      {"max_pool_pick",
       [](Case &c) {
         Pool pool(c);
         c.check({pool.input(), pool.input()}, [=](TensorBuilder &b, ValueRange x) {
           return weigh(b, b.make<MaxPoolPickOp>(x, pool.attributes(b)));
         });
       }},
      {"avg_pool", avgPool},
      {"avg_pool_grad", avgPoolGrad},
      {"resize", resize<ResizeOp>},
      {"resize_grad", resize<ResizeGradOp>},
      {"batch_norm", batchNorm},
      {"softmax",
       [](Case &c) {
         int64_t axis = c.integer(1, 2);
         c.check({{c.shape(3), true}}, [=](TensorBuilder &b, ValueRange x) {
           return weigh(b, b.make<SoftmaxOp>(x[0], {b.integer("axis", axis)}));
         });
       }},
      {"reduce", reduce},
      {"random_uniform", [](Case &c) { random(c, false); }},
      {"random_normal", [](Case &c) { random(c, true); }},
  };
  return entries;
}

class Rules : public testing::TestWithParam<std::pair<const std::string, Run>> {};

TEST_P(Rules, AreCentralDifferences) {
  for (unsigned seed = 1; seed <= 8 && !HasFailure(); ++seed) {
    Case c{Random(seed), "seed " + std::to_string(seed) + ": cnn." + GetParam().first};
    GetParam().second(c);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Rules, testing::ValuesIn(table()), [](const auto &info) { return info.param.first; });

/// The same for gradients of gradients.
TEST_P(Rules, HaveGradients) {
  for (unsigned seed = 1; seed <= 4 && !HasFailure(); ++seed) {
    Case c{Random(seed), "seed " + std::to_string(seed) + ": cnn." + GetParam().first, /*second=*/true};
    GetParam().second(c);
  }
}

/// Operations that have no gradient: what later passes introduce, and what holds no value.
static const std::set<std::string> withoutRule = {
    "constant", "counter",   "expand_groups", "group",           "minimize",         "param", "relayout",
    "slot",     "statistic", "warp",          "winograd_conv2d", "winograd_weights", "yield"};

TEST(Coverage, EveryOperationHasATestedRuleOrNone) {
  Ir ir("module {}");
  std::set<std::string> known = withoutRule, registered;
  for (const auto &[name, run] : table())
    known.insert(name);
  for (RegisteredOperationName name : ir.context.getRegisteredOperationsByDialect("cnn"))
    registered.insert(name.stripDialect().str());
  EXPECT_EQ(registered, known);
}

TEST(Coverage, AnOperationWithoutARuleSaysSo) {
  Differentiated f({{{2, 1, 1, 1}}}, [](TensorBuilder &b, ValueRange x) {
    return b.sum(b.make<ExpandGroupsOp>(x[0], {b.integer("groups", 2)}));
  });
  EXPECT_EQ(f.messages(), "'cnn.expand_groups' at path 'f' has no gradient\n");
  Differentiated w({{{2, 1, 4, 4}}, {{2, 2, 3}}}, [](TensorBuilder &b, ValueRange x) {
    return b.sum(b.make<WarpOp>({x[0], x[1]}, {b.ints("size", {4, 4})}));
  });
  EXPECT_EQ(w.messages(), "'cnn.warp' at path 'f' has no gradient\n");
}

TEST(Coverage, WhatIsNotNeededIsNotBuilt) {
  // Only the gradient by the weight: no transposed convolution.
  Differentiated f({{{2, 1, 4, 4}, true, -1, 1, /*wanted=*/false}, {{3, 1, 3, 3}}},
                   [](TensorBuilder &b, ValueRange x) { return b.sum(b.tanh(b.make<Conv2dOp>(x))); });
  int transposed = 0, byWeight = 0;
  f.ir.module->walk([&](Operation *op) {
    transposed += isa<Conv2dTransposeOp>(op);
    byWeight += isa<Conv2dWeightGradOp>(op);
  });
  EXPECT_EQ(transposed, 0);
  EXPECT_EQ(byWeight, 1);
}

TEST(Coverage, WhatTheLossDoesNotReadHasAGradientOfZero) {
  Differentiated f({{{2}}, {{3, 2}, true}}, [](TensorBuilder &b, ValueRange x) { return b.sum(x[0]); });
  std::vector<Tensor> gradients = f.gradients({Tensor({2}), Tensor({3, 2})});
  expectNear(gradients[0], Tensor({2}, {1, 1}), 0);
  expectNear(gradients[1], Tensor({3, 2}), 0);
}

TEST(Coverage, OnlyAScalarOfFloatsHasGradients) {
  Differentiated f({{{2}}}, [](TensorBuilder &b, ValueRange x) { return b.neg(x[0]); });
  EXPECT_EQ(f.messages(), "only a scalar of floats has gradients, not 'tensor<2xf32>'\n");
}

TEST(Corners, TakeTheSmallerSide) {
  auto at = [](const Formula &f, const std::vector<Tensor> &x) {
    std::vector<Argument> arguments(x.size(), {{3}});
    return Differentiated(arguments, [&](TensorBuilder &b, ValueRange v) { return b.sum(f(b, v)); }).gradients(x);
  };
  Tensor x({3}, {-1, 0, 1});
  expectNear(at([](TensorBuilder &b, ValueRange v) { return b.relu(v[0]); }, {x})[0], Tensor({3}, {0, 0, 1}), 0);
  expectNear(at([](TensorBuilder &b, ValueRange v) { return b.abs(v[0]); }, {x})[0], Tensor({3}, {-1, 0, 1}), 0);
  expectNear(at([](TensorBuilder &b, ValueRange v) { return b.clamp(v[0], 0, 1); }, {x})[0], Tensor({3}), 0);
  expectNear(at([](TensorBuilder &b, ValueRange v) { return b.softplus(v[0]); }, {Tensor({3})})[0],
             Tensor::filled({3}, 0.5), 0);
  expectNear(at([](TensorBuilder &b, ValueRange v) { return b.make<EluOp>(v[0]); }, {Tensor({3})})[0],
             Tensor::filled({3}, 1), 0);
  std::vector<Tensor> halves =
      at([](TensorBuilder &b, ValueRange v) { return b.max(v[0], v[1]); }, {x, Tensor({3}, {0, 0, 0})});
  expectNear(halves[0], Tensor({3}, {0, 0.5, 1}), 0);
  expectNear(halves[1], Tensor({3}, {1, 0.5, 0}), 0);
}

TEST(Second, GradientsOfGradients) {
  for (unsigned seed = 1; seed <= 3; ++seed) {
    Random random(seed);
    std::string name = "seed " + std::to_string(seed) + ": ";
    expectSecondGradients(
        random, name + "conv2d, tanh and avg_pool", {{{2, 2, 5, 5}, true}, {{3, 2, 3, 3}}, {{3}}},
        [](TensorBuilder &b, ValueRange x) {
          Value y = b.tanh(b.make<Conv2dOp>(x, {b.ints("strides", {2, 1}), b.ints("padding", {1, 0, 1, 1})}));
          return weigh(b, b.make<AvgPoolOp>(y, {b.ints("kernel", {2, 2}), b.ints("strides", {1, 1})}));
        });
    expectSecondGradients(
        random, name + "dense, softplus and softmax", {{{3, 4}, true}, {{2, 4}}, {{2}}},
        [](TensorBuilder &b, ValueRange x) { return weigh(b, b.make<SoftmaxOp>(b.softplus(b.make<DenseOp>(x)))); });
    expectSecondGradients(random, name + "log, exp, sqrt, div and sigmoid",
                          {{{4}, false, 0.5, 2}, {{4}, false, 0.5, 2}}, [](TensorBuilder &b, ValueRange x) {
                            Value y = b.div(b.log(x[0]), b.sqrt(x[1]));
                            return weigh(b, b.sub(b.exp(y), b.sigmoid(b.mul(y, x[0]))));
                          });
    expectSecondGradients(
        random, name + "mirrored borders and slices", {{{2, 5}, true}}, [](TensorBuilder &b, ValueRange x) {
          auto reflect = PadModeAttr::get(b.builder().getContext(), PadMode::Reflect);
          Value y = b.make<PadOp>(
              b.tanh(x[0]), {b.ints("low", {0, 2}), b.ints("high", {0, 1}), b.builder().getNamedAttr("mode", reflect)});
          return weigh(
              b, b.make<SliceOp>(y, {b.ints("starts", {0, 1}), b.ints("sizes", {-1, 3}), b.ints("steps", {1, 2})}));
        });
  }
}
