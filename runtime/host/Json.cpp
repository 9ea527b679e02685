//===- Json.cpp - Strict JSON in, one line of JSON out --------------------===//
//
// Recursive descent over the text; the depth limit bounds the stack.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Json.h"

#include <charconv>
#include <cmath>
#include <iterator>
#include <unordered_set>

namespace cnn::host {
namespace {

void appendUtf8(std::string &out, uint32_t point) {
  auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

/// Each parse function reads one thing at the cursor and answers false after noting the first error.
class Reader {
public:
  Reader(std::string_view text, JsonLimits limits) : text(text), limits(limits) {}

  Result<JsonValue> read() {
    JsonValue value;
    if (!parseValue(value, 0))
      return makeError("not JSON at byte {}: {}", at, problem);
    skipSpace();
    if (at != text.size())
      return makeError("not JSON at byte {}: the text goes on after the value", at);
    return value;
  }

private:
  bool fail(std::string what) {
    problem = std::move(what);
    return false;
  }

  void skipSpace() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
      ++at;
  }

  bool accept(char c) {
    skipSpace();
    if (at == text.size() || text[at] != c)
      return false;
    ++at;
    return true;
  }

  bool parseValue(JsonValue &value, unsigned depth) {
    skipSpace();
    if (at == text.size())
      return fail("the text ends where a value should stand");
    if (++count > limits.values)
      return fail(fmt::format("more than {} values", limits.values));
    switch (text[at]) {
    case '{':
    case '[':
      if (depth == limits.depth)
        return fail(fmt::format("nested more than {} deep", limits.depth));
      return text[at] == '{' ? parseObject(value, depth) : parseArray(value, depth);
    case '"':
      value.kind = JsonValue::Kind::String;
      return parseString(value.string);
    case 't':
      value.kind = JsonValue::Kind::Bool;
      value.boolean = true;
      return parseWord("true");
    case 'f':
      value.kind = JsonValue::Kind::Bool;
      return parseWord("false");
    case 'n':
      return parseWord("null");
    default:
      return parseNumber(value);
    }
  }

  bool parseWord(std::string_view word) {
    if (text.substr(at, word.size()) != word)
      return fail("a value was expected");
    at += word.size();
    return true;
  }

  bool parseObject(JsonValue &value, unsigned depth) {
    value.kind = JsonValue::Kind::Object;
    ++at;
    if (accept('}'))
      return true;
    std::unordered_set<std::string> keys;
    do {
      skipSpace();
      if (at == text.size() || text[at] != '"')
        return fail("a key in double quotes was expected");
      const size_t start = at;
      std::string key;
      if (!parseString(key))
        return false;
      if (!keys.insert(key).second) {
        at = start;
        return fail(fmt::format("the key {} comes twice", inQuotes(key)));
      }
      if (!accept(':'))
        return fail("':' was expected after a key");
      value.members.push_back({std::move(key), JsonValue()});
      if (!parseValue(value.members.back().value, depth + 1))
        return false;
    } while (accept(','));
    return accept('}') || fail("',' or '}' was expected");
  }

  bool parseArray(JsonValue &value, unsigned depth) {
    value.kind = JsonValue::Kind::Array;
    ++at;
    if (accept(']'))
      return true;
    do {
      value.items.emplace_back();
      if (!parseValue(value.items.back(), depth + 1))
        return false;
    } while (accept(','));
    return accept(']') || fail("',' or ']' was expected");
  }

  bool parseHex4(uint32_t &unit) {
    unit = 0;
    for (int i = 0; i < 4; ++i, ++at) {
      if (at == text.size())
        return fail("the text ends in a string");
      const char c = text[at];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0)
        return fail("four hexadecimal digits were expected after \\u");
      unit = unit << 4 | static_cast<uint32_t>(digit);
    }
    return true;
  }

  bool parseEscape(std::string &out) {
    if (at == text.size())
      return fail("the text ends in a string");
    static constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const char letter = text[at];
    if (const size_t index = letters.find(letter); index != std::string_view::npos) {
      out.push_back(meanings[index]);
      ++at;
      return true;
    }
    if (letter != 'u')
      return fail("an unknown escape in a string");
    ++at;
    uint32_t unit;
    if (!parseHex4(unit))
      return false;
    if (unit >= 0xD800 && unit < 0xE000) {
      uint32_t second;
      if (unit >= 0xDC00 || text.substr(at, 2) != "\\u")
        return fail("half of a surrogate pair");
      at += 2;
      if (!parseHex4(second))
        return false;
      if (second < 0xDC00 || second >= 0xE000)
        return fail("half of a surrogate pair");
      unit = 0x10000 + ((unit - 0xD800) << 10) + (second - 0xDC00);
    }
    appendUtf8(out, unit);
    return true;
  }

  bool parseString(std::string &out) {
    ++at;
    while (at < text.size()) {
      const char c = text[at];
      if (c == '"') {
        ++at;
        return true;
      }
      if (c == '\\') {
        ++at;
        if (!parseEscape(out))
          return false;
        continue;
      }
      if (static_cast<unsigned char>(c) < 0x20)
        return fail("a control character in a string");
      const size_t length = utf8SequenceLength(text.substr(at, 4));
      if (length == 0)
        return fail("a string that is no UTF-8");
      out.append(text, at, length);
      at += length;
    }
    return fail("the text ends in a string");
  }

  bool parseDigits() {
    const size_t start = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9')
      ++at;
    return at > start;
  }

  bool parseNumber(JsonValue &value) {
    const size_t start = at;
    if (text[at] == '-')
      ++at;
    const size_t first = at;
    if (!parseDigits())
      return fail("a value was expected");
    if (text[first] == '0' && at > first + 1) {
      at = first;
      return fail("a number with a leading zero");
    }
    bool integral = true;
    if (at < text.size() && text[at] == '.') {
      integral = false;
      ++at;
      if (!parseDigits())
        return fail("a digit was expected after '.'");
    }
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
      integral = false;
      ++at;
      if (at < text.size() && (text[at] == '+' || text[at] == '-'))
        ++at;
      if (!parseDigits())
        return fail("a digit was expected in an exponent");
    }
    const char *begin = text.data() + start, *end = text.data() + at;
    if (std::from_chars(begin, end, value.real).ec != std::errc()) {
      at = start;
      return fail("a number out of the range of a double");
    }
    value.kind = JsonValue::Kind::Real;
    if (integral && std::from_chars(begin, end, value.integer).ec == std::errc())
      value.kind = JsonValue::Kind::Integer;
    return true;
  }

  std::string_view text;
  JsonLimits limits;
  size_t at = 0;
  size_t count = 0;
  std::string problem;
};

} // namespace

const JsonValue *JsonValue::find(std::string_view key) const {
  for (const auto &[name, value] : members)
    if (name == key)
      return &value;
  return nullptr;
}

Result<JsonValue> parseJson(std::string_view text, JsonLimits limits) { return Reader(text, limits).read(); }

void JsonWriter::separate() {
  if (needsComma)
    out += ", ";
}

JsonWriter &JsonWriter::open(char bracket) {
  separate();
  out.push_back(bracket);
  needsComma = false;
  return *this;
}

JsonWriter &JsonWriter::close(char bracket) {
  out.push_back(bracket);
  needsComma = true;
  return *this;
}

JsonWriter &JsonWriter::raw(std::string_view token) {
  separate();
  out += token;
  needsComma = true;
  return *this;
}

JsonWriter &JsonWriter::null() { return raw("null"); }

JsonWriter &JsonWriter::key(std::string_view name) {
  separate();
  quote(name);
  out += ": ";
  needsComma = false;
  return *this;
}

JsonWriter &JsonWriter::value(std::string_view text) {
  separate();
  quote(text);
  needsComma = true;
  return *this;
}

JsonWriter &JsonWriter::value(double number) { return std::isfinite(number) ? raw(fmt::format("{}", number)) : null(); }

JsonWriter &JsonWriter::value(float number) { return std::isfinite(number) ? raw(fmt::format("{}", number)) : null(); }

void JsonWriter::quote(std::string_view text) {
  out.push_back('"');
  for (size_t i = 0; i < text.size();) {
    const char c = text[i];
    const size_t length = utf8SequenceLength(text.substr(i, 4));
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else if (length == 0) {
      out += "\uFFFD";
    } else {
      out.append(text, i, length);
    }
    i += length == 0 ? 1 : length;
  }
  out.push_back('"');
}

} // namespace cnn::host
