// The shape of the tree, recovery after errors, and texts that are made to break a parser.
#include "frontend/Parser.h"

#include <gtest/gtest.h>

using namespace cnn;
using namespace cnn::ast;

namespace {

struct Parsed {
  Diagnostics diagnostics;
  std::unique_ptr<File> file;

  explicit Parsed(std::string text) {
    file = parseFile(*diagnostics.sources().add("test.cnn", std::move(text)), diagnostics);
  }
  std::string firstError() const { return diagnostics.hasErrors() ? diagnostics.all().front().message : ""; }
};

/// The expression of the constant `c`, and the file that owns it.
struct ParsedExpr : Parsed {
  explicit ParsedExpr(const std::string &text) : Parsed("const c = " + text + "\n") {}
  const Expr *expr() const { return file->constants.empty() ? nullptr : file->constants.front()->value; }
};

/// Operators fully parenthesized, to see how they group.
std::string grouped(const Expr *expr) {
  if (const auto *name = dyn_cast<NameExpr>(expr))
    return name->name.str();
  if (const auto *number = dyn_cast<NumberExpr>(expr))
    return number->range.text().str();
  if (const auto *unary = dyn_cast<UnaryExpr>(expr))
    return std::string(unary->op == UnaryOp::Not ? "(not " : "(-") + grouped(unary->operand) + ")";
  if (const auto *binary = dyn_cast<BinaryExpr>(expr))
    return "(" + grouped(binary->lhs) + binary->opRange.text().str() + grouped(binary->rhs) + ")";
  if (const auto *property = dyn_cast<PropertyExpr>(expr))
    return grouped(property->base) + "." + property->name.text.str();
  return "?";
}

std::string groupingOf(const std::string &text) {
  ParsedExpr parsed(text);
  return parsed.expr() ? grouped(parsed.expr()) : parsed.firstError();
}

TEST(Parser, Precedence) {
  EXPECT_EQ(groupingOf("a + b * c - d"), "((a+(b*c))-d)");
  EXPECT_EQ(groupingOf("a - b - c"), "((a-b)-c)");
  EXPECT_EQ(groupingOf("-a * b"), "((-a)*b)");
  EXPECT_EQ(groupingOf("a or b and not c == d"), "(aor(band(not (c==d))))");
  EXPECT_EQ(groupingOf("0..n + 1"), "(0..(n+1))");
  EXPECT_EQ(groupingOf("x.channels == 4 * w"), "(x.channels==(4*w))");
  EXPECT_EQ(groupingOf("a < b < c"), "comparisons don't chain; join two by 'and'");
}

TEST(Parser, ArrowsBindLoosest) {
  ParsedExpr parsed("y + skip -> relu -> \"a.{i}\": conv(3, kernel = 2)");
  const auto *arrow = llvm::dyn_cast_or_null<ArrowExpr>(parsed.expr());
  ASSERT_TRUE(arrow) << parsed.firstError();
  EXPECT_TRUE(isa<BinaryExpr>(arrow->source));
  ASSERT_EQ(arrow->stages.size(), 2u);
  const auto *last = cast<ApplyExpr>(arrow->stages[1]);
  EXPECT_TRUE(isa<StringExpr>(last->label));
  EXPECT_EQ(last->callee.text, "conv");
  ASSERT_EQ(last->arguments.size(), 2u);
  EXPECT_EQ(last->arguments[1].name.text, "kernel");
}

TEST(Parser, OperatorAfterAStageIsAnErrorWithAHint) {
  ParsedExpr parsed("a -> f + b");
  ASSERT_TRUE(parsed.diagnostics.hasErrors());
  EXPECT_EQ(parsed.firstError(), "the right side of '->' is an application, met '+' after it");
  EXPECT_EQ(parsed.diagnostics.all()[0].notes[0].message, "write the chain in parentheses, as in (a -> f) + b");
}

TEST(Parser, ColonsInSubscriptsAreNoLabels) {
  ParsedExpr parsed("x[:, a:b, ::2, 1:]");
  const auto *index = llvm::dyn_cast_or_null<IndexExpr>(parsed.expr());
  ASSERT_TRUE(index) << parsed.firstError();
  ASSERT_EQ(index->subscripts.size(), 4u);
  EXPECT_FALSE(index->subscripts[0].start || index->subscripts[0].stop);
  EXPECT_TRUE(index->subscripts[1].start && index->subscripts[1].stop);
  EXPECT_TRUE(index->subscripts[2].step);
  EXPECT_TRUE(index->subscripts[3].start && !index->subscripts[3].stop);
}

TEST(Parser, LabelsWithinACallWithinASubscript) {
  ParsedExpr parsed("x[f(a: g(y))]");
  EXPECT_TRUE(parsed.expr()) << parsed.firstError();
}

TEST(Parser, TupleAndParentheses) {
  EXPECT_TRUE(isa<TupleExpr>(ParsedExpr("(a, b)").expr()));
  EXPECT_TRUE(isa<TupleExpr>(ParsedExpr("(a,)").expr()));
  EXPECT_TRUE(isa<NameExpr>(ParsedExpr("(a)").expr()));
}

TEST(Parser, LoopPatterns) {
  Parsed parsed("block b(x) {\n for v in a {}\n for i, v in a {}\n for (t, c) in a {}\n for i, (t, c) in a {}\n}");
  ASSERT_FALSE(parsed.diagnostics.hasErrors()) << parsed.firstError();
  const auto &statements = parsed.file->blocks[0]->body.statements;
  ASSERT_EQ(statements.size(), 4u);
  EXPECT_EQ(cast<ForStmt>(statements[0])->patterns.size(), 1u);
  EXPECT_TRUE(cast<ForStmt>(statements[2])->patterns[0].unpacks);
  EXPECT_EQ(cast<ForStmt>(statements[3])->patterns[1].names.size(), 2u);
}

TEST(Parser, TrainBlocks) {
  Parsed parsed(R"(
train digits(image: f32[N, 1, 28, 28], label: class(10)[N]) {
  scores = mnist_cnn(image -> shift(2) -> rotate(10))
  minimize cross_entropy_logits(scores, label) + l2(mnist_cnn, 1e-4)
    over mnist_cnn, other
    using adam(lr = 1e-3)
  report accuracy(scores, label), scores
}
)");
  ASSERT_FALSE(parsed.diagnostics.hasErrors()) << parsed.firstError();
  ASSERT_EQ(parsed.file->trains.size(), 1u);
  const TrainDecl &train = *parsed.file->trains[0];
  EXPECT_TRUE(train.inputs[1].type.classes);
  ASSERT_EQ(train.body.statements.size(), 3u);
  const auto *minimize = cast<MinimizeStmt>(train.body.statements[1]);
  EXPECT_TRUE(isa<BinaryExpr>(minimize->loss));
  EXPECT_EQ(minimize->targets.size(), 2u);
  EXPECT_TRUE(isa<ApplyExpr>(minimize->optimizer));
  EXPECT_EQ(cast<ReportStmt>(train.body.statements[2])->values.size(), 2u);
}

TEST(Parser, ImportsPreprocessNames) {
  Parsed parsed("import \"a.cnn\"\nimport b, c from \"d.cnn\"\n"
                "preprocess photo -> image {\n photo -> resize(3)\n}\n"
                "names \"w\" {\n \"0\" = a.b\n \"1\" = \"x.0\", \"2\" = c }\n");
  ASSERT_FALSE(parsed.diagnostics.hasErrors()) << parsed.firstError();
  EXPECT_EQ(parsed.file->imports[1]->names.size(), 2u);
  ASSERT_EQ(parsed.file->names[0]->entries.size(), 3u);
  EXPECT_EQ(parsed.file->names[0]->entries[0].path.text, "a.b");
  EXPECT_EQ(parsed.file->names[0]->entries[1].path.text, "x.0");
  EXPECT_EQ(parsed.file->preprocesses.size(), 1u);
}

TEST(Parser, RecoversAtTheNextStatement) {
  Parsed parsed("block a(x) {\n  y = = 3\n  z = )\n  if { x }\n  x -> relu\n}\n"
                "network n(x f32[N]) {\n  x\n}\nblok c() {}\nblock d(x) { x }\n");
  EXPECT_EQ(parsed.diagnostics.all().size(), 5u);
  EXPECT_EQ(parsed.file->blocks.size(), 2u);
  EXPECT_EQ(parsed.file->blocks[0]->body.statements.size(), 1u);
}

TEST(Parser, ReportsAtMostTwentyErrors) {
  std::string text;
  for (int i = 0; i < 100; ++i)
    text += "const c" + std::to_string(i) + " = )\n";
  Parsed parsed(text);
  EXPECT_EQ(parsed.diagnostics.all().size(), Diagnostics::kMaxErrors);
}

std::string times(const std::string &text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i)
    all += text;
  return all;
}

TEST(Parser, DeepNestingIsOneError) {
  for (const std::string &open : {"(", "[", "-", "not ", "f(", "x[", "if a { ", "\"{", "@keep ", "if a { x } else "}) {
    Parsed parsed("const c = " + times(open, 100'000));
    ASSERT_TRUE(parsed.diagnostics.hasErrors()) << open;
    EXPECT_LE(parsed.diagnostics.all().size(), 2u) << open;
  }
  Parsed bodies("block b(x) " + times("{ for i in x ", 100'000));
  EXPECT_EQ(bodies.firstError(), "nested more than 256 deep");
  Parsed properties("const c = x" + times(".a", 100'000));
  EXPECT_EQ(properties.firstError(), "nested more than 256 deep");
}

TEST(Parser, LongChainsAreFine) {
  EXPECT_FALSE(Parsed("const c = a" + times(" + a", 100'000)).diagnostics.hasErrors());
  EXPECT_FALSE(Parsed("const c = a" + times(" -> relu", 100'000)).diagnostics.hasErrors());
  EXPECT_FALSE(Parsed("const c = [" + times("1, ", 100'000) + "]").diagnostics.hasErrors());
}

TEST(Parser, ByteOrderMarkIsSkipped) {
  EXPECT_FALSE(Parsed("\xEF\xBB\xBF"
                      "const c = 1\r\nconst d = 2\r\n")
                   .diagnostics.hasErrors());
}

TEST(Parser, NumbersThatDoNotFit) {
  EXPECT_EQ(ParsedExpr("9223372036854775808").firstError(), "this integer does not fit 64 bits");
  EXPECT_EQ(ParsedExpr("1e999").firstError(), "this number is too large");
  EXPECT_TRUE(ParsedExpr("9223372036854775807").expr());
}

TEST(Parser, EveryPrefixOfATextEndsWithoutACrash) {
  std::string text =
      "import a from \"b\"\nconst c = [1, \"x{y}z\"]\nblock b(x, w = 2) {\n  for i, (t, c) in 0..3 {\n    x = x -> "
      "\"l{i}\": conv(w, pad = [[1, 2], [3, 4]])\n  }\n  y = if a == b { x[:, 1:2] } else { share f: g(1) }\n  return "
      "(a = "
      "x, b = -y)\n}\nnetwork n(x: f32[N, 3]) -> (a: f32[N, 3]) {\n  @keep(x = 1) b(x)\n}\n";
  for (size_t length = 0; length <= text.size(); ++length)
    Parsed parsed(text.substr(0, length));
  for (size_t skipped = 0; skipped < text.size(); ++skipped)
    Parsed parsed(text.substr(0, skipped) + text.substr(skipped + 1));
}

} // namespace
