//===- EarlyStop.cpp - The best so far, and when to give up ---------------===//
//
// State is one JSON object.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/EarlyStop.h"

#include "runtime/host/Json.h"

#include <cmath>

namespace cnn::host {

bool BestKeeper::observe(double value, int64_t epoch) {
  if (std::isnan(value))
    return false;
  const bool improved =
      !known || (better == Better::Higher ? value > bestValue + minimumDelta : value < bestValue - minimumDelta);
  if (improved) {
    known = true;
    bestValue = value;
    bestEpoch = epoch;
  }
  return improved;
}

std::string BestKeeper::state() const {
  JsonWriter json;
  json.beginObject();
  if (known) // Hexadecimal digits keep infinities, which JSON has none of.
    json.member("best", fmt::format("{:a}", bestValue)).member("epoch", bestEpoch);
  return json.endObject().text();
}

Result<void> BestKeeper::restore(std::string_view state) {
  Result<JsonValue> json = parseJson(state);
  const Error wrong = makeError("{} is not the state of a best value", inQuotes(state));
  if (!json || !json->isObject())
    return wrong;
  const JsonValue *best = json->find("best"), *epoch = json->find("epoch");
  if (!best && !epoch) {
    known = false;
    return {};
  }
  if (!best || !best->isString() || best->string.empty() || !epoch || !epoch->isInteger())
    return wrong;
  char *end = nullptr;
  const double value = std::strtod(best->string.c_str(), &end);
  if (*end != '\0' || std::isnan(value))
    return wrong;
  known = true;
  bestValue = value;
  bestEpoch = epoch->integer;
  return {};
}

bool EarlyStop::observe(double value, int64_t epoch) {
  if (keeper.observe(value, epoch))
    waited = 0;
  else
    ++waited;
  return waited >= patience;
}

std::string EarlyStop::state() const {
  return JsonWriter().beginObject().member("waited", waited).member("best", keeper.state()).endObject().text();
}

Result<void> EarlyStop::restore(std::string_view state) {
  Result<JsonValue> json = parseJson(state);
  const JsonValue *count = json ? json->find("waited") : nullptr;
  const JsonValue *best = json ? json->find("best") : nullptr;
  if (!count || !count->isInteger() || count->integer < 0 || !best || !best->isString())
    return makeError("{} is not the state of an early stop", inQuotes(state));
  if (Result<void> restored = keeper.restore(best->string); !restored)
    return restored;
  waited = count->integer;
  return {};
}

} // namespace cnn::host
