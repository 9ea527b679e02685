//===- JsonTest.cpp - Strict JSON in, one line of JSON out ----------------===//
//
// The reader against RFC 8259 and against hostile text; the writer against the reader.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Json.h"

#include "HostTest.h"

#include <cmath>
#include <limits>
#include <random>

namespace cnn::host {
namespace {

TEST(JsonReaderTest, ReadsEveryKindOfValue) {
  Result<JsonValue> value =
      parseJson(" {\"a\": [1, -2.5e3, true, false, null], \"b\": {\"c\": \"x\\n\\u00e9\\ud83d\\ude00\\/\"}}\r\n\t ");
  ASSERT_OK(value);
  const JsonValue *a = value->find("a");
  ASSERT_TRUE(a && a->isArray());
  ASSERT_EQ(a->items.size(), 5u);
  EXPECT_TRUE(a->items[0].isInteger());
  EXPECT_EQ(a->items[0].integer, 1);
  EXPECT_EQ(a->items[1].kind, JsonValue::Kind::Real);
  EXPECT_EQ(a->items[1].real, -2500);
  EXPECT_TRUE(a->items[2].boolean);
  EXPECT_FALSE(a->items[3].boolean);
  EXPECT_EQ(a->items[4].kind, JsonValue::Kind::Null);
  const JsonValue *b = value->find("b");
  ASSERT_TRUE(b && b->isObject() && b->find("c"));
  EXPECT_EQ(b->find("c")->string, "x\n\xc3\xa9\xf0\x9f\x98\x80/");
  EXPECT_EQ(value->find("d"), nullptr);
}

TEST(JsonReaderTest, ReadsIntegersToTheirLimits) {
  EXPECT_EQ(parseJson("9223372036854775807")->integer, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(parseJson("-9223372036854775808")->integer, std::numeric_limits<int64_t>::min());
  Result<JsonValue> above = parseJson("9223372036854775808");
  ASSERT_OK(above);
  EXPECT_FALSE(above->isInteger());
  EXPECT_EQ(above->real, 0x1p63);
}

TEST(JsonReaderTest, RefusesWhatIsNoJson) {
  const std::pair<const char *, const char *> cases[] = {
      {"", "not JSON at byte 0: the text ends where a value should stand"},
      {"  ", "not JSON at byte 2: the text ends where a value should stand"},
      {"{", "not JSON at byte 1: a key in double quotes was expected"},
      {"{\"a\"}", "not JSON at byte 4: ':' was expected after a key"},
      {"{\"a\":1,}", "not JSON at byte 7: a key in double quotes was expected"},
      {"{a:1}", "not JSON at byte 1: a key in double quotes was expected"},
      {"{\"a\":1 \"b\":2}", "not JSON at byte 7: ',' or '}' was expected"},
      {"{\"a\":1,\"b\":2,\"a\":3}", "not JSON at byte 13: the key 'a' comes twice"},
      {"{\"a\":1,\"\\u0061\":3}", "not JSON at byte 7: the key 'a' comes twice"},
      {"[1,]", "not JSON at byte 3: a value was expected"},
      {"[1 2]", "not JSON at byte 3: ',' or ']' was expected"},
      {"[1", "not JSON at byte 2: ',' or ']' was expected"},
      {"1 2", "not JSON at byte 2: the text goes on after the value"},
      {"01", "not JSON at byte 0: a number with a leading zero"},
      {"-", "not JSON at byte 1: a value was expected"},
      {"+1", "not JSON at byte 0: a value was expected"},
      {"1.", "not JSON at byte 2: a digit was expected after '.'"},
      {"1e", "not JSON at byte 2: a digit was expected in an exponent"},
      {"1e999", "not JSON at byte 0: a number out of the range of a double"},
      {"NaN", "not JSON at byte 0: a value was expected"},
      {"tru", "not JSON at byte 0: a value was expected"},
      {"'a'", "not JSON at byte 0: a value was expected"},
      {"\"a", "not JSON at byte 2: the text ends in a string"},
      {"\"\\", "not JSON at byte 2: the text ends in a string"},
      {"\"\\u12", "not JSON at byte 5: the text ends in a string"},
      {"\"\\x\"", "not JSON at byte 2: an unknown escape in a string"},
      {"\"\\u12g4\"", "not JSON at byte 5: four hexadecimal digits were expected after \\u"},
      {"\"\\ud800x\"", "not JSON at byte 7: half of a surrogate pair"},
      {"\"\\ud800\\u0041\"", "not JSON at byte 13: half of a surrogate pair"},
      {"\"\\udc00\"", "not JSON at byte 7: half of a surrogate pair"},
      {"\"\n\"", "not JSON at byte 1: a control character in a string"},
      {"\"\xff\"", "not JSON at byte 1: a string that is no UTF-8"},
      {"\"\xc0\x80\"", "not JSON at byte 1: a string that is no UTF-8"},
      {"\"\xed\xa0\x80\"", "not JSON at byte 1: a string that is no UTF-8"},
      {"\"\xe2\x82\"", "not JSON at byte 1: a string that is no UTF-8"},
      {"/* no */ 1", "not JSON at byte 0: a value was expected"},
  };
  for (const auto &[text, message] : cases)
    EXPECT_EQ(errorOf(parseJson(text)), message) << text;
}

TEST(JsonReaderTest, LimitsDepthAndNumberOfValues) {
  const std::string deep(100000, '[');
  EXPECT_EQ(errorOf(parseJson(deep)), "not JSON at byte 64: nested more than 64 deep");
  EXPECT_OK(parseJson("[[[1]]]", {.depth = 3}));
  EXPECT_EQ(errorOf(parseJson("[[[[1]]]]", {.depth = 3})), "not JSON at byte 3: nested more than 3 deep");
  EXPECT_OK(parseJson("[1,2,3]", {.values = 4}));
  EXPECT_EQ(errorOf(parseJson("[1,2,3,4]", {.values = 4})), "not JSON at byte 7: more than 4 values");
}

TEST(JsonReaderTest, SurvivesMutations) {
  const std::string seed = "{\"a\": [1, -2.5e3, true, null], \"b\": {\"c\": \"x\\n\\u00e9\\ud83d\\ude00\"}}";
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text = seed;
    for (unsigned change = 0; change <= random() % 3; ++change)
      text[random() % text.size()] = static_cast<char>(random());
    text.resize(random() % 8 == 0 ? random() % text.size() : text.size());
    if (Result<JsonValue> value = parseJson(text); !value)
      ASSERT_EQ(value.error().message.find("not JSON at byte "), 0u) << "mutation " << i;
  }
}

TEST(JsonWriterTest, WritesOneLine) {
  JsonWriter writer;
  writer.beginObject().member("network", "lenet5").member("parameters", 61706).member("passed", true);
  writer.key("layers").beginArray();
  writer.beginObject().member("path", "c1").array("output_shape", std::vector<int64_t>{1, 6, 28, 28}).endObject();
  writer.beginObject().endObject().beginArray().endArray().null().endArray();
  writer.member("label", std::string("goldfish")).endObject();
  EXPECT_EQ(writer.text(),
            "{\"network\": \"lenet5\", \"parameters\": 61706, \"passed\": true, \"layers\": [{\"path\": \"c1\", "
            "\"output_shape\": [1, 6, 28, 28]}, {}, [], null], \"label\": \"goldfish\"}");
  EXPECT_OK(parseJson(writer.text()));
}

TEST(JsonWriterTest, EscapesStrings) {
  JsonWriter writer;
  writer.beginArray().value("\"\\/\n\t\r\x01\x7f").value(std::string("\0", 1)).value("caf\xc3\xa9").value("a\xff z");
  writer.endArray();
  EXPECT_EQ(writer.text(),
            "[\"\\\"\\\\/\\n\\t\\u000d\\u0001\\u007f\", \"\\u0000\", \"caf\xc3\xa9\", \"a\xef\xbf\xbd z\"]");
  Result<JsonValue> value = parseJson(writer.text());
  ASSERT_OK(value);
  EXPECT_EQ(value->items[0].string, "\"\\/\n\t\r\x01\x7f");
}

TEST(JsonWriterTest, NumbersReadBackToTheSameValue) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 10000; ++i) {
    const uint64_t bits = random();
    double number;
    static_assert(sizeof(number) == sizeof(bits));
    std::memcpy(&number, &bits, sizeof(bits));
    JsonWriter writer;
    writer.value(number);
    Result<JsonValue> value = parseJson(writer.text());
    ASSERT_OK(value) << writer.text();
    if (std::isfinite(number))
      ASSERT_EQ(value->real, number) << writer.text();
    else
      ASSERT_EQ(writer.text(), "null");
  }
  JsonWriter writer;
  writer.beginArray().value(0.1f).value(0.1).value(-0.0).value(1e300).value(INFINITY).value(std::nan(""));
  writer.value(std::numeric_limits<uint64_t>::max()).value(std::numeric_limits<int64_t>::min()).endArray();
  EXPECT_EQ(writer.text(), "[0.1, 0.1, -0, 1e+300, null, null, 18446744073709551615, -9223372036854775808]");
}

} // namespace
} // namespace cnn::host
