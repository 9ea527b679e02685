// Cuts a source text into tokens and decides which newlines end a statement, so that the parser never looks at lines.
#pragma once

#include "frontend/Diagnostics.h"

#include <string>
#include <vector>

namespace cnn {

enum class TokenKind : uint8_t {
  End,
  Newline,
  Name,
  Integer,
  Float,
  String,
  // Words.
  And,
  Block,
  Const,
  Else,
  False,
  For,
  If,
  Import,
  In,
  Minimize,
  Names,
  Network,
  Not,
  Or,
  Over,
  Preprocess,
  Report,
  Return,
  Share,
  Train,
  True,
  Using,
  // Signs.
  LeftParen,
  RightParen,
  LeftBracket,
  RightBracket,
  LeftBrace,
  RightBrace,
  Comma,
  Colon,
  Dot,
  Range,
  At,
  Arrow,
  Assign,
  Plus,
  Minus,
  Star,
  Slash,
  Percent,
  Equal,
  NotEqual,
  Less,
  LessEqual,
  Greater,
  GreaterEqual,
  // What was reported already.
  Error
};

struct Token {
  TokenKind kind = TokenKind::End;
  uint32_t begin = 0, end = 0;
};

/// How a token of this kind is called in messages: `'->'`, `a name`, `the end of the line`.
std::string describe(TokenKind kind);

/// The tokens of bytes [begin, end) of the file, the last being End. A newline is a token where it ends a statement:
/// not inside
/// `(` or `[`, not after `= -> , :` or an operator, not before `-> else over using`. A string token holds its quotes
/// and its text as written.
std::vector<Token> tokenize(const SourceFile &file, uint32_t begin, uint32_t end, Diagnostics &diagnostics);

/// The offset of the first byte that is not UTF-8, or npos.
size_t findInvalidUtf8(llvm::StringRef text);

} // namespace cnn
