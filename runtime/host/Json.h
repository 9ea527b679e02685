//===- Json.h - Strict JSON in, one line of JSON out ----------------------===//
//
// The reader takes RFC 8259 and nothing else, and is made for input nobody vouches for: depth and number of values are
// limited, a key that comes twice is an error, strings must be UTF-8. The writer prints what `--json` shows.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_JSON_H
#define CNN_RUNTIME_HOST_JSON_H

#include "runtime/host/Error.h"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cnn::host {

struct JsonMember;

struct JsonValue {
  enum class Kind { Null, Bool, Integer, Real, String, Array, Object };
  Kind kind = Kind::Null;
  bool boolean = false;
  int64_t integer = 0; // a number without fraction and exponent that fits; what does not fit is Real
  double real = 0;     // any number, rounded to nearest
  std::string string;
  std::vector<JsonValue> items;    // of an array
  std::vector<JsonMember> members; // of an object, in the order of the text

  bool isObject() const { return kind == Kind::Object; }
  bool isArray() const { return kind == Kind::Array; }
  bool isString() const { return kind == Kind::String; }
  bool isInteger() const { return kind == Kind::Integer; }
  bool isNumber() const { return kind == Kind::Integer || kind == Kind::Real; }

  /// The member of an object; null where there is none.
  const JsonValue *find(std::string_view key) const;
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

struct JsonLimits {
  unsigned depth = 64;
  size_t values = size_t(1) << 22;
};

/// The value that `text` holds; an error names the byte where the text stops being JSON.
Result<JsonValue> parseJson(std::string_view text, JsonLimits limits = {});

/// Builds one line of JSON. Keys and values alternate in objects; commas are put by the writer. Numbers read back to
/// the same value, NaN and infinities are null, bytes that are no UTF-8 become U+FFFD.
class JsonWriter {
public:
  JsonWriter &beginObject() { return open('{'); }
  JsonWriter &endObject() { return close('}'); }
  JsonWriter &beginArray() { return open('['); }
  JsonWriter &endArray() { return close(']'); }
  JsonWriter &key(std::string_view name);
  JsonWriter &null();
  JsonWriter &value(std::string_view text);
  JsonWriter &value(const char *text) { return value(std::string_view(text)); }
  JsonWriter &value(double number);
  JsonWriter &value(float number);
  template <std::integral T> JsonWriter &value(T number) {
    if constexpr (std::same_as<T, bool>)
      return raw(number ? "true" : "false");
    else
      return raw(fmt::format("{}", number));
  }

  template <class T> JsonWriter &member(std::string_view name, const T &content) { return key(name).value(content); }
  template <class Range> JsonWriter &array(std::string_view name, const Range &contents) {
    key(name).beginArray();
    for (const auto &content : contents)
      value(content);
    return endArray();
  }

  /// The text, without a line break.
  const std::string &text() const { return out; }

private:
  JsonWriter &open(char bracket);
  JsonWriter &close(char bracket);
  JsonWriter &raw(std::string_view token);
  void separate();
  void quote(std::string_view text);

  std::string out;
  bool needsComma = false;
};

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_JSON_H
