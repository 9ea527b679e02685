// Trees as text where the parser alone does not decide them; test/lit/tools/emit-parse.test has every form.
#include "frontend/AstPrinter.h"
#include "frontend/Parser.h"

#include <gtest/gtest.h>

using namespace cnn;

namespace {

std::string treeOf(std::string text) {
  Diagnostics diagnostics;
  auto file = parseFile(*diagnostics.sources().add("test.cnn", std::move(text)), diagnostics);
  EXPECT_FALSE(diagnostics.hasErrors()) << diagnostics.all().front().message;
  std::string tree;
  llvm::raw_string_ostream stream(tree);
  printSyntaxTree(*file, stream);
  return tree;
}

TEST(AstPrinter, DeclarationsStandInTheOrderOfTheText) {
  EXPECT_EQ(treeOf("names \"w\" {}\ntrain t() {}\nnetwork n() {}\npreprocess a -> b {}\nconst c = x\nblock b() {}\n"
                   "import \"f\"\n"),
            "names 1:1 \"w\"\ntrain 2:1 t\nnetwork 3:1 n\npreprocess 4:1 a -> b\nconst 5:1 c\n  name 5:11 x\n"
            "block 6:1 b\nimport 7:1 \"f\"\n");
}

TEST(AstPrinter, OperatorsGroupAsTheyAreEvaluated) {
  EXPECT_EQ(treeOf("const c = a - b * d - e"), "const 1:1 c\n"
                                               "  binary 1:11 -\n"
                                               "    binary 1:11 -\n"
                                               "      name 1:11 a\n"
                                               "      binary 1:15 *\n"
                                               "        name 1:15 b\n"
                                               "        name 1:19 d\n"
                                               "    name 1:23 e\n");
}

TEST(AstPrinter, TheRoleOfAnOperatorIsThatOfItsOutermostNode) {
  EXPECT_EQ(treeOf("const c = f(k = a + b + d)"), "const 1:1 c\n"
                                                  "  apply 1:11 f\n"
                                                  "    k = binary 1:17 +\n"
                                                  "      binary 1:17 +\n"
                                                  "        name 1:17 a\n"
                                                  "        name 1:21 b\n"
                                                  "      name 1:25 d\n");
}

TEST(AstPrinter, FractionsAreExactAndIntegersWhole) {
  EXPECT_EQ(treeOf("const c = [0.1, 1e300, 3.0, 9223372036854775807]"),
            "const 1:1 c\n  list 1:11\n    fraction 1:12 0.1\n    fraction 1:17 1e+300\n    fraction 1:24 3\n"
            "    integer 1:29 9223372036854775807\n");
}

TEST(AstPrinter, ControlCharactersDoNotReachTheTerminal) {
  EXPECT_EQ(
      treeOf("const c = \"\x1b[31m\\n\\\"\xc3\xa9\"\nnames \"w\" {\n \"\x07\" = a\n}\n"),
      "const 1:1 c\n  string 1:11 \"\\x1B[31m\\n\\\"\xc3\xa9\"\nnames 2:1 \"w\"\n  entry 3:2 \"\\x07\" = \"a\"\n");
}

/// A tree of any depth has lines of a bounded length, and the stack does not grow with it.
TEST(AstPrinter, LongSumsHaveTreesOfLinearSize) {
  std::string text = "a";
  for (int i = 0; i < 100'000; ++i)
    text += "\n + a";
  std::string tree = treeOf("const d = [\n" + text + "]\n");
  EXPECT_EQ(llvm::StringRef(tree).count('\n'), 200'003u);
  EXPECT_LT(tree.size(), 200'003u * 170);
  EXPECT_NE(tree.find("\n" + std::string(128, ' ') + "binary"), std::string::npos);
  EXPECT_NE(tree.find("\n" + std::string(128, ' ') + "[65] binary"), std::string::npos);
  EXPECT_NE(tree.find("[100002] name 2:1 a\n"), std::string::npos);
}

TEST(AstPrinter, FindsDeclarationsByName) {
  Diagnostics diagnostics;
  auto file =
      parseFile(*diagnostics.sources().add("test.cnn", "import \"f\"\ntrain t() {}\nconst c = 1\nnames \"w\" {}\n"
                                                       "network n() {}\nblock b() {}\n"),
                diagnostics);
  std::string found;
  for (const auto &[name, node] : namedDeclarations(*file))
    found += name.str() + std::to_string(node->range.position().line) + " ";
  EXPECT_EQ(found, "t2 c3 n5 b6 ");
}

} // namespace
