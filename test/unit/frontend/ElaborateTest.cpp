// From text to operations: paths, shapes, scopes, sharing, limits.
#include "FrontendTesting.h"

#include <gtest/gtest.h>

using namespace cnn;
using namespace cnn::testing;

namespace {

using Shape = std::vector<int64_t>;

TEST(Elaborate, PathsFromLabelsAndOrdinals) {
  Loaded net(onPicture("x -> c1: conv(2, kernel = 3) -> relu -> conv(2, kernel = 1) -> conv(2, kernel = 1) -> relu"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.operations(), "conv2d c1, relu relu_0, conv2d conv_0, conv2d conv_1, relu relu_1");
  EXPECT_EQ(net.states()["conv_1.weight"], (Shape{2, 2, 1, 1}));
}

TEST(Elaborate, BlocksMakeScopes) {
  Loaded net(onPicture("for i in 0..2 { x = x -> \"l{i}\": b(3) }\nx -> b(2)",
                       "block b(x, width) { x -> c: conv(width, kernel = 1) -> relu }"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.operations(),
            "conv2d l0.c, relu l0.relu_0, conv2d l1.c, relu l1.relu_0, conv2d b_0.c, relu b_0.relu_0");
}

TEST(Elaborate, LocationsAreChainsOfCalls) {
  Loaded net(onPicture("for i in 0..1 {\n  x = x -> b\n}\nx", "block b(x) {\n  x -> relu\n}"));
  ASSERT_TRUE(net.module) << net.errors();
  std::string text;
  llvm::raw_string_ostream os(text);
  (*net.infer().getOps<ReluOp>().begin()).getLoc().print(os);
  EXPECT_EQ(text, "loc(callsite(\"test.cnn\":2:8 at callsite(\"test.cnn\":6:12 at \"test.cnn\":5:1)))");
}

TEST(Elaborate, RebindingReachesOutOfLoopsAndBranches) {
  Loaded net(
      onPicture("n = 1\nif true { n = n + 1 }\nfor i in 0..3 { n = n * 2\n  inner = n }\nx -> conv(n, kernel = 1)"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.result(), (Shape{-1, 16, 8, 8}));
}

TEST(Elaborate, BindingsOfALoopStayInside) {
  Loaded net(onPicture("for i in 0..3 { inner = i }\nx -> conv(inner, kernel = 1)"));
  EXPECT_EQ(net.firstError(), "there is no 'inner' here: it ended with the loop");
}

TEST(Elaborate, PatternsUnpack) {
  Loaded net(onPicture("for i, (c, k) in [[2, 1], [3, 3]] { x = x -> \"c{i}\": conv(c, kernel = k) }\nx"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.states()["c1.weight"], (Shape{3, 2, 3, 3}));
}

TEST(Elaborate, SharedLayersHaveOneSetOfParameters) {
  Loaded net(onPicture("f = share tower: conv(4, kernel = 3, pad = 1)\n(x -> f) + (x -> relu -> f) -> f"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.states().size(), 2u);
  EXPECT_EQ(net.operations(), "conv2d tower, relu relu_0, conv2d tower, add add_0, conv2d tower");
}

TEST(Elaborate, SharedBlocks) {
  Loaded net(
      onPicture("f = share t: b(4)\na = x -> f\nx -> f -> relu", "block b(x, w) { x -> conv(w, kernel = 1) -> relu }"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.operations(), "conv2d t.conv_0, relu t.relu_0, conv2d t.conv_0, relu t.relu_0, relu relu_0");
}

TEST(Elaborate, SharedLayersKeepTheirShapes) {
  Loaded net(onPicture("f = share t: conv(8, kernel = 1)\nx -> f -> f"));
  EXPECT_EQ(net.firstError(),
            "'t.weight' is shared and has the shape [8, 4, 1, 1] from its first application; here it would be "
            "[8, 8, 1, 1]");
}

TEST(Elaborate, NetworksShareByName) {
  Loaded net("network inner(y: f32[M, 4]) -> f32[M, 4] { y -> d: dense(4) }\n"
             "network outer(x: f32[N, 4]) -> f32[N, 4] { inner(x) -> d: dense(4) -> inner }",
             {"test.cnn", "outer", {}});
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.operations(), "dense inner.d, dense d, dense inner.d");
  EXPECT_EQ(net.states().size(), 4u);
}

TEST(Elaborate, BlocksTakeLayersBlocksAndWords) {
  Loaded net(onPicture("x -> twice(f = relu) -> twice(f = b, mode = reflect)",
                       "block b(x) { x -> abs }\nblock twice(x, f, mode = zero) {\n"
                       "  if mode == reflect { x -> f -> f -> neg } else { x -> f -> f }\n}"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.operations(),
            "relu twice_0.relu_0, relu twice_0.relu_1, abs twice_1.b_0.abs_0, abs twice_1.b_1.abs_0, neg "
            "twice_1.neg_0");
}

TEST(Elaborate, SeveralResults) {
  Loaded net("block two(x) { return (a = x -> relu, b = x -> abs) }\n"
             "network net(x: f32[N, 4]) -> (p: f32[N, 4], q: f32[N, 8]) {\n"
             "  a, b = two(x)\n  t = two(x)\n  return (q = (a, t.b) -> concat, p = b)\n}");
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.result(0), (Shape{-1, 4}));
  EXPECT_EQ(net.result(1), (Shape{-1, 8}));
  EXPECT_EQ(net.infer().getResultAttrOfType<mlir::StringAttr>(0, kOutputAttr).getValue(), "p");
}

TEST(Elaborate, StringsInterpolate) {
  Loaded net(onPicture("i = 2\nx -> \"a{{b}}.{i + 1}.{\"c{i}\"}\": conv(1, kernel = 1)"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_TRUE(net.states().count("a{b}.3.c2.weight"));
}

TEST(Elaborate, ShapesOfLayers) {
  struct Case {
    const char *body;
    Shape shape;
  };
  for (const Case &c : std::initializer_list<Case>{
           {"x -> conv(6, kernel = 3)", {-1, 6, 6, 6}},
           {"x -> conv(6, kernel = [3, 1], stride = [2, 1], pad = [[1, 0], [2, 3]])", {-1, 6, 4, 13}},
           {"x -> conv(6, kernel = 3, stride = 2, pad = same_upper)", {-1, 6, 4, 4}},
           {"x -> conv(6, kernel = 4, pad = same_lower)", {-1, 6, 8, 8}},
           {"x -> conv(6, kernel = 3, dilation = 2, pad = valid)", {-1, 6, 4, 4}},
           {"x -> conv(8, kernel = 3, groups = 4, pad = 1, border = reflect)", {-1, 8, 8, 8}},
           {"x -> conv(weights = param([5, 4, 1, 1], init = normal, std = 0.1), bias = true)", {-1, 5, 8, 8}},
           {"x -> filter([[1, 2, 1]], border = reflect)", {-1, 4, 8, 8}},
           {"x -> max_pool(3, stride = 2)", {-1, 4, 3, 3}},
           {"x -> max_pool(3, stride = 2, ceil = true)", {-1, 4, 4, 4}},
           {"x -> avg_pool([2, 4])", {-1, 4, 4, 2}},
           {"x -> global_avg_pool", {-1, 4, 1, 1}},
           {"x -> flatten -> dense(7, bias = false)", {-1, 7}},
           {"x -> reshape([N, -1, 16])", {-1, 16, 16}},
           {"x -> reshape([x.shape[0], 256])", {-1, 256}},
           {"x -> transpose([0, 2, 3, 1])", {-1, 8, 8, 4}},
           {"x[:, 1:3, ::2, -3:]", {-1, 2, 4, 3}},
           {"x[:, 0]", {-1, 8, 8}},
           {"(x, x) -> concat", {-1, 8, 8, 8}},
           {"[x, x, x] -> concat(axis = -1)", {-1, 4, 8, 24}},
           {"x -> pad([[0, 0], [1, 2], [0, 0], [3, 0]])", {-1, 7, 8, 11}},
           {"x -> pad([1, 2], mode = reflect)", {-1, 4, 10, 12}},
           {"x * param([4, 1, 1]) + 0.5", {-1, 4, 8, 8}},
           {"2 - x / (x -> global_avg_pool)", {-1, 4, 8, 8}},
           {"max(x, 0) -> min(x, 6, x)", {-1, 4, 8, 8}},
           {"x -> batch_norm(eps = 1e-3) -> softmax -> clamp(0, 1) -> leaky_relu(slope = 0.2) -> dropout",
            {-1, 4, 8, 8}},
           {"x * sqrt(4) * min(2, 1)", {-1, 4, 8, 8}},
       }) {
    Loaded net(onPicture(c.body));
    ASSERT_TRUE(net.module) << c.body << "\n" << net.errors();
    EXPECT_EQ(net.result(), c.shape) << c.body;
  }
}

TEST(Elaborate, SamePaddingPutsTheOddPixelWhereAsked) {
  auto padding = [](const char *rule) {
    Loaded net(onPicture("x -> conv(1, kernel = 4, pad = " + std::string(rule) + ")"));
    return (*net.infer().getOps<Conv2dOp>().begin()).getPadding().vec();
  };
  EXPECT_EQ(padding("same_upper"), (Shape{1, 2, 1, 2}));
  EXPECT_EQ(padding("same_lower"), (Shape{2, 1, 2, 1}));
}

TEST(Elaborate, BytesAreConverted) {
  Loaded net("network net(x: u8[N, 3, 2, 2]) { x -> convert(f32) -> relu }");
  ASSERT_TRUE(net.module) << net.errors();
  Loaded refused("network net(x: u8[N, 3, 2, 2]) { x -> relu }");
  EXPECT_EQ(refused.firstError(), "relu: the input is u8[N, 3, 2, 2], expected f32; write -> convert(f32) before");
}

TEST(Elaborate, ShapesCanBeReplaced) {
  NetworkRequest request{"test.cnn", "", {{"x", {3, 6, 5}}}};
  Loaded net("network net(x: f32[N, 3, 8, 8]) -> f32[N, 3, 8, 8] { x -> relu }", request);
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_EQ(net.result(), (Shape{-1, 3, 6, 5}));
  request.shapes = {{"y", {1, 2}}};
  EXPECT_EQ(Loaded("network net(x: f32[N, 3]) { x -> relu }", request).firstError(),
            "a shape is asked for the input 'y', which the network does not have");
}

TEST(Elaborate, NamesMapPrefixes) {
  Loaded net("network net(x: f32[N, 4]) { x -> a: dense(4) -> b: dense(4) }\n"
             "names \"w\" { \"0\" = a\n \"other.tensor\" = b.weight }");
  ASSERT_TRUE(net.module) << net.errors();
  auto nameOf = [&](llvm::StringRef path) {
    return net.module->lookupSymbol<ParamOp>(path).getSourceName().value_or("").str();
  };
  EXPECT_EQ(nameOf("a.weight"), "0.weight");
  EXPECT_EQ(nameOf("a.bias"), "0.bias");
  EXPECT_EQ(nameOf("b.weight"), "other.tensor");
  EXPECT_EQ(nameOf("b.bias"), "");
}

TEST(Elaborate, SizesThatOverflow) {
  std::string big = "4000000000000000000";
  for (const std::string &text : std::vector<std::string>{
           "network n(x: f32[N, " + big + ", 4]) { x -> relu }",
           "network n(x: f32[N, 2147483647, 2147483647, 2147483647]) { x -> relu }",
           "network n(x: f32[N, 4]) { x -> dense(" + big + ") }",
           "network n(x: f32[N, 4]) { x -> dense(2147483647) -> dense(2147483647) }",
           "network n(x: f32[N, 4, 8, 8]) { x -> conv(2147483647, kernel = 3, pad = 2147483647) }",
           "network n(x: f32[N, 4, 8, 8]) { x -> pad([2000000000, 2000000000]) }",
           "network n(x: f32[N, 4]) { x -> dense(2 * " + big + " * 3) }",
           "network n(x: f32[N, 4]) { x + param([2000000000, 2000000000, 2000000000, 1]) }",
           "network n(x: f32[N, 4]) { x -> reshape([N, 4000000000, 4000000000, 4000000000]) }",
       }) {
    Loaded net(text);
    EXPECT_FALSE(net.module) << text;
    EXPECT_TRUE(net.diagnostics.hasErrors()) << text;
  }
}

TEST(Elaborate, EndlessWorkEnds) {
  for (const std::string &body : {
           std::string("for i in 0..9000000000000000000 { }\nx"),
           std::string("for i in 0..1000000 { for j in 0..1000000 { k = i } }\nx"),
           std::string("for i in 0..1000000 { x = x -> relu }\nx"),
           std::string("a = [1]\nfor i in 0..100 { a = a + a }\nx"),
           std::string("a = [1]\nfor i in 0..100 { a = [a, a] }\nx * a"),
           std::string("a = [1, 2, 3, 4, 5, 6, 7, 8]\nfor i in 0..6 { a = [a, a, a, a, a, a, a, a, a, a, a, a, a, a, "
                       "a, a] }\nx * a"),
           std::string("s = \"a\"\nfor i in 0..100 { s = \"{s}{s}\" }\nx"),
       }) {
    Loaded net(onPicture(body));
    EXPECT_FALSE(net.module) << body;
    EXPECT_EQ(net.diagnostics.all().size(), 1u) << body << net.errors();
  }
}

TEST(Elaborate, RecursionIsAnError) {
  EXPECT_EQ(Loaded(onPicture("x -> a", "block a(x) { x -> b }\nblock b(x) { x -> a }")).firstError(),
            "the block 'a' calls itself");
  EXPECT_EQ(Loaded("network n(x: f32[N, 4]) { n(x) }").firstError(), "the network 'n' calls itself");
  EXPECT_EQ(Loaded(onPicture("x -> conv(a, kernel = 1)", "const a = b\nconst b = a")).firstError(),
            "the constant 'a' depends on itself");
  std::string blocks;
  for (int i = 0; i < 1000; ++i)
    blocks += "block b" + std::to_string(i) + "(x) { x -> b" + std::to_string(i + 1) + " }\n";
  EXPECT_EQ(Loaded(onPicture("x -> b0", blocks + "block b1000(x) { x }")).firstError(),
            "calls are nested more than 100 deep");
}

TEST(Elaborate, FailedValuesPoisonSilently) {
  Loaded net(onPicture("y = x -> conv(2)\nz = y -> relu -> conv(3, kernel = 1)\nw = z + y * 3\nfor i in 0..y.channels "
                       "{ w = w -> relu }\n"
                       "if w.channels == 3 { w = w -> abs }\n[y, z] -> concat -> flatten -> dense(w.channels)"));
  EXPECT_EQ(net.diagnostics.all().size(), 1u) << net.errors();
}

TEST(Elaborate, TheSameErrorInALoopIsCounted) {
  Loaded net(onPicture("for i in 0..7 { y = x -> conv(2) }\nx"));
  ASSERT_EQ(net.diagnostics.all().size(), 1u);
  EXPECT_EQ(net.diagnostics.all()[0].count, 7u);
}

TEST(Elaborate, AtMostTenNotesForLevels) {
  std::string blocks;
  for (int i = 0; i < 20; ++i)
    blocks += "block b" + std::to_string(i) + "(x) { x -> b" + std::to_string(i + 1) + " }\n";
  Loaded net(onPicture("x -> b0", blocks + "block b20(x) { x -> conv(3) }"));
  ASSERT_EQ(net.diagnostics.all().size(), 1u);
  EXPECT_EQ(net.diagnostics.all()[0].notes.size(), 10u);
}

TEST(Elaborate, AnnotationsStayWithTheOperation) {
  Loaded net(onPicture("x -> @keep relu -> @schedule(tile = 4) abs"));
  ASSERT_TRUE(net.module) << net.errors();
  EXPECT_TRUE((*net.infer().getOps<AbsOp>().begin())->hasAttr("cnn.schedule"));
}

} // namespace
