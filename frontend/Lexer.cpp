// The lexer: words, numbers, strings with `{}` inside, and the rule for newlines.
#include "frontend/Lexer.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ConvertUTF.h"

namespace cnn {
namespace {

bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

TokenKind wordKind(llvm::StringRef word) {
  return llvm::StringSwitch<TokenKind>(word)
      .Case("and", TokenKind::And)
      .Case("block", TokenKind::Block)
      .Case("const", TokenKind::Const)
      .Case("else", TokenKind::Else)
      .Case("false", TokenKind::False)
      .Case("for", TokenKind::For)
      .Case("if", TokenKind::If)
      .Case("import", TokenKind::Import)
      .Case("in", TokenKind::In)
      .Case("minimize", TokenKind::Minimize)
      .Case("names", TokenKind::Names)
      .Case("network", TokenKind::Network)
      .Case("not", TokenKind::Not)
      .Case("or", TokenKind::Or)
      .Case("over", TokenKind::Over)
      .Case("preprocess", TokenKind::Preprocess)
      .Case("report", TokenKind::Report)
      .Case("return", TokenKind::Return)
      .Case("share", TokenKind::Share)
      .Case("train", TokenKind::Train)
      .Case("true", TokenKind::True)
      .Case("using", TokenKind::Using)
      .Default(TokenKind::Name);
}

/// A newline after one of these does not end a statement.
bool continuesAfter(TokenKind kind) {
  switch (kind) {
  case TokenKind::Assign:
  case TokenKind::Arrow:
  case TokenKind::Comma:
  case TokenKind::Colon:
  case TokenKind::Range:
  case TokenKind::Plus:
  case TokenKind::Minus:
  case TokenKind::Star:
  case TokenKind::Slash:
  case TokenKind::Percent:
  case TokenKind::Equal:
  case TokenKind::NotEqual:
  case TokenKind::Less:
  case TokenKind::LessEqual:
  case TokenKind::Greater:
  case TokenKind::GreaterEqual:
  case TokenKind::And:
  case TokenKind::Or:
  case TokenKind::Not:
    return true;
  default:
    return false;
  }
}

/// A newline before one of these does not end a statement.
bool continuesBefore(TokenKind kind) {
  return kind == TokenKind::Arrow || kind == TokenKind::Else || kind == TokenKind::Over || kind == TokenKind::Using;
}

class Lexer {
public:
  Lexer(const SourceFile &file, uint32_t begin, uint32_t end, Diagnostics &diagnostics)
      : file(file), text(file.text()), at(begin), end(end), diagnostics(diagnostics) {}

  std::vector<Token> run() {
    for (;;) {
      bool newline = skipBlank();
      Token token = next();
      bool inBrackets = !brackets.empty() && brackets.back() != '{';
      if (newline && !inBrackets && !tokens.empty() && !continuesAfter(tokens.back().kind) &&
          !continuesBefore(token.kind) && tokens.back().kind != TokenKind::Newline)
        tokens.push_back({TokenKind::Newline, newlineAt, newlineAt});
      track(token.kind);
      tokens.push_back(token);
      if (token.kind == TokenKind::End)
        return std::move(tokens);
    }
  }

private:
  const SourceFile &file;
  llvm::StringRef text;
  uint32_t at, end, newlineAt = 0;
  Diagnostics &diagnostics;
  std::vector<Token> tokens;
  std::string brackets;

  char peek(uint32_t ahead = 0) const { return at + ahead < end ? text[at + ahead] : '\0'; }

  void error(uint32_t from, uint32_t to, std::string message) {
    diagnostics.error({&file, from, to}, std::move(message));
  }

  void track(TokenKind kind) {
    switch (kind) {
    case TokenKind::LeftParen:
      brackets += '(';
      break;
    case TokenKind::LeftBracket:
      brackets += '[';
      break;
    case TokenKind::LeftBrace:
      brackets += '{';
      break;
    case TokenKind::RightParen:
    case TokenKind::RightBracket:
      if (!brackets.empty() && brackets.back() != '{')
        brackets.pop_back();
      break;
    case TokenKind::RightBrace:
      // A brace closes what was left open inside it, so that one missing parenthesis does not swallow the file.
      while (!brackets.empty() && brackets.back() != '{')
        brackets.pop_back();
      if (!brackets.empty())
        brackets.pop_back();
      break;
    default:
      break;
    }
  }

  /// Skips blanks, comments and newlines; true when there was a newline.
  bool skipBlank() {
    bool newline = false;
    while (at < end) {
      char c = text[at];
      if (c == '\n') {
        if (!newline)
          newlineAt = at;
        newline = true;
        ++at;
      } else if (c == ' ' || c == '\t' || c == '\r') {
        ++at;
      } else if (c == '#') {
        while (at < end && text[at] != '\n')
          ++at;
      } else {
        break;
      }
    }
    return newline;
  }

  Token sign(TokenKind kind, uint32_t length) {
    Token token{kind, at, at + length};
    at += length;
    return token;
  }

  Token next() {
    if (at >= end)
      return {TokenKind::End, end, end};
    char c = text[at];
    if (isLetter(c)) {
      uint32_t begin = at;
      while (at < end && (isLetter(text[at]) || isDigit(text[at])))
        ++at;
      return {wordKind(text.slice(begin, at)), begin, at};
    }
    if (isDigit(c))
      return number();
    if (c == '"')
      return string();
    switch (c) {
    case '(':
      return sign(TokenKind::LeftParen, 1);
    case ')':
      return sign(TokenKind::RightParen, 1);
    case '[':
      return sign(TokenKind::LeftBracket, 1);
    case ']':
      return sign(TokenKind::RightBracket, 1);
    case '{':
      return sign(TokenKind::LeftBrace, 1);
    case '}':
      return sign(TokenKind::RightBrace, 1);
    case ',':
      return sign(TokenKind::Comma, 1);
    case ':':
      return sign(TokenKind::Colon, 1);
    case '@':
      return sign(TokenKind::At, 1);
    case '.':
      return peek(1) == '.' ? sign(TokenKind::Range, 2) : sign(TokenKind::Dot, 1);
    case '+':
      return sign(TokenKind::Plus, 1);
    case '-':
      return peek(1) == '>' ? sign(TokenKind::Arrow, 2) : sign(TokenKind::Minus, 1);
    case '*':
      return sign(TokenKind::Star, 1);
    case '/':
      return sign(TokenKind::Slash, 1);
    case '%':
      return sign(TokenKind::Percent, 1);
    case '=':
      return peek(1) == '=' ? sign(TokenKind::Equal, 2) : sign(TokenKind::Assign, 1);
    case '<':
      return peek(1) == '=' ? sign(TokenKind::LessEqual, 2) : sign(TokenKind::Less, 1);
    case '>':
      return peek(1) == '=' ? sign(TokenKind::GreaterEqual, 2) : sign(TokenKind::Greater, 1);
    case '!':
      if (peek(1) == '=')
        return sign(TokenKind::NotEqual, 2);
      break;
    default:
      break;
    }
    return unexpected();
  }

  Token unexpected() {
    uint32_t begin = at++;
    while (at < end && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
      ++at;
    unsigned char c = text[begin];
    std::string shown =
        c < 0x20 || c == 0x7F ? "with code " + std::to_string(c) : "'" + text.slice(begin, at).str() + "'";
    std::string hint = c == '!'    ? "; write 'not'"
                       : c == '&'  ? "; write 'and'"
                       : c == '|'  ? "; write 'or'"
                       : c == ';'  ? "; a statement ends with its line"
                       : c == '\'' ? "; strings stand in double quotes"
                                   : "";
    error(begin, at, "unexpected character " + shown + hint);
    return {TokenKind::Error, begin, at};
  }

  Token number() {
    uint32_t begin = at;
    bool isFloat = false;
    while (isDigit(peek()))
      ++at;
    if (peek() == '.' && isDigit(peek(1))) {
      isFloat = true;
      ++at;
      while (isDigit(peek()))
        ++at;
    }
    if (peek() == 'e' || peek() == 'E') {
      uint32_t sign = peek(1) == '+' || peek(1) == '-';
      if (isDigit(peek(1 + sign))) {
        isFloat = true;
        at += 1 + sign;
        while (isDigit(peek()))
          ++at;
      }
    }
    if (isLetter(peek())) {
      while (isLetter(peek()) || isDigit(peek()))
        ++at;
      error(begin, at, "'" + text.slice(begin, at).str() + "' is neither a number nor a name");
      return {TokenKind::Error, begin, at};
    }
    return {isFloat ? TokenKind::Float : TokenKind::Integer, begin, at};
  }

  /// Finds the string's end; quotes inside `{...}` belong to strings of their own.
  Token string() {
    uint32_t begin = at++;
    int braces = 0;
    bool inner = false; // inside a string within braces
    while (at < end && text[at] != '\n') {
      char c = text[at];
      if (c == '\\' && at + 1 < end && text[at + 1] != '\n') {
        at += 2;
      } else if (c == '"') {
        ++at;
        if (braces == 0)
          return {TokenKind::String, begin, at};
        inner = !inner;
      } else if (inner) {
        ++at;
      } else if (c == '{' && braces == 0 && peek(1) == '{') {
        at += 2;
      } else if (c == '{' || c == '}') {
        braces += c == '{' ? 1 : braces > 0 ? -1 : 0;
        ++at;
      } else {
        ++at;
      }
    }
    error(begin, at,
          braces ? "this string is not closed: a '{' in it has no '}' ('{{' is a brace)"
                 : "this string is not closed at the end of its line");
    return {TokenKind::Error, begin, at};
  }
};

} // namespace

std::string describe(TokenKind kind) {
  switch (kind) {
  case TokenKind::End:
    return "the end of the file";
  case TokenKind::Newline:
    return "the end of the line";
  case TokenKind::Name:
    return "a name";
  case TokenKind::Integer:
  case TokenKind::Float:
    return "a number";
  case TokenKind::String:
    return "a string";
  case TokenKind::And:
    return "'and'";
  case TokenKind::Block:
    return "'block'";
  case TokenKind::Const:
    return "'const'";
  case TokenKind::Else:
    return "'else'";
  case TokenKind::False:
    return "'false'";
  case TokenKind::For:
    return "'for'";
  case TokenKind::If:
    return "'if'";
  case TokenKind::Import:
    return "'import'";
  case TokenKind::In:
    return "'in'";
  case TokenKind::Minimize:
    return "'minimize'";
  case TokenKind::Names:
    return "'names'";
  case TokenKind::Network:
    return "'network'";
  case TokenKind::Not:
    return "'not'";
  case TokenKind::Or:
    return "'or'";
  case TokenKind::Over:
    return "'over'";
  case TokenKind::Preprocess:
    return "'preprocess'";
  case TokenKind::Report:
    return "'report'";
  case TokenKind::Return:
    return "'return'";
  case TokenKind::Share:
    return "'share'";
  case TokenKind::Train:
    return "'train'";
  case TokenKind::True:
    return "'true'";
  case TokenKind::Using:
    return "'using'";
  case TokenKind::LeftParen:
    return "'('";
  case TokenKind::RightParen:
    return "')'";
  case TokenKind::LeftBracket:
    return "'['";
  case TokenKind::RightBracket:
    return "']'";
  case TokenKind::LeftBrace:
    return "'{'";
  case TokenKind::RightBrace:
    return "'}'";
  case TokenKind::Comma:
    return "','";
  case TokenKind::Colon:
    return "':'";
  case TokenKind::Dot:
    return "'.'";
  case TokenKind::Range:
    return "'..'";
  case TokenKind::At:
    return "'@'";
  case TokenKind::Arrow:
    return "'->'";
  case TokenKind::Assign:
    return "'='";
  case TokenKind::Plus:
    return "'+'";
  case TokenKind::Minus:
    return "'-'";
  case TokenKind::Star:
    return "'*'";
  case TokenKind::Slash:
    return "'/'";
  case TokenKind::Percent:
    return "'%'";
  case TokenKind::Equal:
    return "'=='";
  case TokenKind::NotEqual:
    return "'!='";
  case TokenKind::Less:
    return "'<'";
  case TokenKind::LessEqual:
    return "'<='";
  case TokenKind::Greater:
    return "'>'";
  case TokenKind::GreaterEqual:
    return "'>='";
  case TokenKind::Error:
    return "an error";
  }
  return "a token";
}

std::vector<Token> tokenize(const SourceFile &file, uint32_t begin, uint32_t end, Diagnostics &diagnostics) {
  return Lexer(file, begin, end, diagnostics).run();
}

size_t findInvalidUtf8(llvm::StringRef text) {
  const auto *begin = reinterpret_cast<const llvm::UTF8 *>(text.data()), *at = begin, *end = begin + text.size();
  while (at < end) {
    unsigned length = llvm::getNumBytesForUTF8(*at);
    if (at + length > end || !llvm::isLegalUTF8Sequence(at, end))
      return at - begin;
    at += length;
  }
  return llvm::StringRef::npos;
}

} // namespace cnn
