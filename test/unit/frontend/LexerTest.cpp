// Tokens, and where a newline ends a statement.
#include "frontend/Lexer.h"

#include <gtest/gtest.h>

using namespace cnn;
using enum cnn::TokenKind;

namespace {

struct Lexed {
  Diagnostics diagnostics;
  std::vector<Token> tokens;
  const SourceFile *file;

  explicit Lexed(std::string text) {
    file = diagnostics.sources().add("test.cnn", std::move(text));
    tokens = tokenize(*file, 0, file->text().size(), diagnostics);
  }
  std::vector<TokenKind> kinds() const {
    std::vector<TokenKind> kinds;
    for (const Token &token : tokens)
      kinds.push_back(token.kind);
    return kinds;
  }
};

std::vector<TokenKind> kindsOf(const std::string &text) { return Lexed(text).kinds(); }

using Kinds = std::vector<TokenKind>;

TEST(Lexer, RangesAreNotFloats) {
  EXPECT_EQ(kindsOf("0..3"), (Kinds{Integer, Range, Integer, End}));
  EXPECT_EQ(kindsOf("1.5 1e-5 2.0e3 7"), (Kinds{Float, Float, Float, Integer, End}));
  EXPECT_EQ(kindsOf("x.channels"), (Kinds{Name, Dot, Name, End}));
}

TEST(Lexer, NewlineEndsAStatement) {
  EXPECT_EQ(kindsOf("a\nb"), (Kinds{Name, Newline, Name, End}));
  EXPECT_EQ(kindsOf("a # comment\n\n  # more\nb"), (Kinds{Name, Newline, Name, End}));
}

TEST(Lexer, NewlineIsSkippedInParenthesesAndBrackets) {
  EXPECT_EQ(kindsOf("(a\n,\nb\n)"), (Kinds{LeftParen, Name, Comma, Name, RightParen, End}));
  EXPECT_EQ(kindsOf("[\n1\n]"), (Kinds{LeftBracket, Integer, RightBracket, End}));
}

TEST(Lexer, BraceWithinParenthesesRestoresNewlines) {
  EXPECT_EQ(kindsOf("({a\nb}\n)"), (Kinds{LeftParen, LeftBrace, Name, Newline, Name, RightBrace, RightParen, End}));
}

TEST(Lexer, NewlineIsSkippedAfterOperatorsAndBeforeArrows) {
  EXPECT_EQ(kindsOf("a =\nb"), (Kinds{Name, Assign, Name, End}));
  EXPECT_EQ(kindsOf("a +\n\n# comment\nb"), (Kinds{Name, Plus, Name, End}));
  EXPECT_EQ(kindsOf("a and\nnot\nb"), (Kinds{Name, And, Not, Name, End}));
  EXPECT_EQ(kindsOf("a\n# comment\n-> b"), (Kinds{Name, Arrow, Name, End}));
  EXPECT_EQ(kindsOf("}\nelse {"), (Kinds{RightBrace, Else, LeftBrace, End}));
  EXPECT_EQ(kindsOf("loss\nover a\nusing b"), (Kinds{Name, Over, Name, Using, Name, End}));
}

TEST(Lexer, MinusOnANewLineBeginsAStatement) { EXPECT_EQ(kindsOf("a\n-b"), (Kinds{Name, Newline, Minus, Name, End})); }

TEST(Lexer, StringsHoldBracesAndInnerStrings) {
  Lexed lexed(R"("layer{stage + 1}.{i}" "a {{ b" "{f["x"]}" "\"")");
  EXPECT_EQ(lexed.kinds(), (Kinds{String, String, String, String, End}));
  EXPECT_FALSE(lexed.diagnostics.hasErrors());
}

TEST(Lexer, ReportsWhatIsNoToken) {
  for (const char *text : {"\"open", "\"open {x", "3x", "$", "a ? b", "a && b", "\xC3\xA4", "\x01", "'a'"}) {
    Lexed lexed(text);
    EXPECT_EQ(lexed.diagnostics.all().size(), 1u) << text; // the same message at one line counts once
  }
}

TEST(Lexer, FindsInvalidUtf8) {
  EXPECT_EQ(findInvalidUtf8("f\xC3\xBCr"), llvm::StringRef::npos);
  EXPECT_EQ(findInvalidUtf8("ab\xFF"), 2u);
  EXPECT_EQ(findInvalidUtf8("ab\xC3"), 2u);        // cut off
  EXPECT_EQ(findInvalidUtf8("\xC0\x80"), 0u);      // overlong
  EXPECT_EQ(findInvalidUtf8("a\xED\xA0\x80"), 1u); // a surrogate
}

TEST(Source, ColumnsCountCharacters) {
  SourceFile file("test.cnn", "a\n\xC3\xA4\xC3\xB6x\n");
  EXPECT_EQ(file.position(6).line, 2u);
  EXPECT_EQ(file.position(6).column, 3u);
  EXPECT_EQ(file.line(2), "\xC3\xA4\xC3\xB6x");
  EXPECT_EQ(file.line(9), "");
}

TEST(Suggestions, AreNearAndOnlyNear) {
  EXPECT_EQ(nearest("covn", {"conv", "relu", "dense"}), "conv");
  EXPECT_EQ(nearest("kernal", {"kernel", "stride"}), "kernel");
  EXPECT_EQ(nearest("attention", {"conv", "relu"}), "");
  EXPECT_EQ(nearest("x", {"y", "z"}), "");
}

} // namespace
