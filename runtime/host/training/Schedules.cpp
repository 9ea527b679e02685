//===- Schedules.cpp - Learning rates over time ---------------------------===//
//
// One table says which numbers a schedule has; creation, parsing and printing read it.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/training/Schedules.h"

#include "runtime/host/Json.h"
#include "runtime/host/Safetensors.h"
#include "runtime/host/training/Metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>
#include <span>

namespace cnn::host {
namespace {

constexpr double unlimited = 1e300;

/// A number of a schedule, which lies in [low, high].
struct Setting {
  const char *name;
  double initial;
  double low, high;
  bool needed = false;
  bool whole = false;
};

struct KindRow {
  const char *name;
  std::vector<Setting> settings;
};

constexpr double tiny = 1e-9; // the smallest of what must be above zero

/// In the order of Schedule::Kind.
const std::vector<KindRow> &kindRows() {
  static const std::vector<KindRow> rows = {
      {"constant", {}},
      {"step", {{"epochs", 0, tiny, 1e9, true}, {"factor", 0.1, tiny, 1e9}}},
      {"exponential", {{"factor", 0, tiny, 1e9, true}, {"epochs", 1, tiny, 1e9}}},
      {"cosine", {{"epochs", 0, tiny, 1e9}, {"minimum", 0, 0, unlimited}}},
      {"warmup", {{"epochs", 0, tiny, 1e9, true}, {"start", 0, 0, unlimited}}},
      {"one_cycle",
       {{"epochs", 0, tiny, 1e9},
        {"rise", 0.3, tiny, 1 - tiny},
        {"divide", 25, 1, unlimited},
        {"final", 1e4, 1, unlimited}}},
      {"plateau",
       {{"factor", 0.1, tiny, 1 - tiny},
        {"patience", 10, 0, 1e9, false, true},
        {"minimum", 0, 0, unlimited},
        {"threshold", 1e-4, 0, 1},
        {"cooldown", 0, 0, 1e9, false, true}}},
  };
  return rows;
}

/// The row of that name; null where there is none.
const KindRow *rowNamed(std::string_view name) {
  for (const KindRow &row : kindRows())
    if (name == row.name)
      return &row;
  return nullptr;
}

Error unknownKind(std::string_view name) {
  std::vector<std::string> known;
  for (const KindRow &row : kindRows())
    known.emplace_back(row.name);
  const std::vector<std::string> near = closestNames(name, known, 1);
  if (!near.empty())
    return makeError("no schedule is called {} (did you mean '{}'?)", inQuotes(name), near.front());
  return makeError("no schedule is called {} (there are {})", inQuotes(name), fmt::join(known, ", "));
}

Error unknownSetting(const KindRow &row, std::string_view name) {
  std::vector<std::string> known;
  for (const Setting &setting : row.settings)
    known.emplace_back(setting.name);
  if (row.name == std::string_view("warmup"))
    known.emplace_back("then");
  if (row.name == std::string_view("plateau"))
    known.emplace_back("on");
  if (known.empty())
    return makeError("{} takes nothing, and has no {}", row.name, inQuotes(name));
  return makeError("{} has no {} (it takes {})", row.name, inQuotes(name), fmt::join(known, ", "));
}

/// From `from` to `to` along half a cosine, `share` of the way.
double halfCosine(double from, double to, double share) {
  return to + (from - to) * (1 + std::cos(std::numbers::pi * std::clamp(share, 0.0, 1.0))) / 2;
}

int64_t stepsIn(double epochs, const ScheduleTime &time) {
  return std::max<int64_t>(1, std::llround(epochs * static_cast<double>(std::max<int64_t>(1, time.stepsPerEpoch))));
}

/// Reads a schedule's description; what it says of positions counts columns from 1.
class Parser {
public:
  explicit Parser(std::string_view text) : text(text) {}

  Result<ScheduleSpec> whole() {
    Result<ScheduleSpec> spec = schedule(0);
    if (!spec)
      return spec;
    skipBlanks();
    if (at < text.size())
      return problem("an end");
    return spec;
  }

private:
  void skipBlanks() {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r'))
      ++at;
  }

  static bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

  bool take(char wanted) {
    skipBlanks();
    if (at >= text.size() || text[at] != wanted)
      return false;
    ++at;
    return true;
  }

  std::string_view word() {
    skipBlanks();
    const size_t begin = at;
    while (at < text.size() && (isLetter(text[at]) || (at > begin && text[at] >= '0' && text[at] <= '9')))
      ++at;
    return text.substr(begin, at - begin);
  }

  /// Names of figures may have more than letters in them: "accuracy.2", "recall[cat]".
  std::string_view watchedName() {
    skipBlanks();
    const size_t begin = at;
    while (at < text.size() && text[at] != ',' && text[at] != ')')
      ++at;
    const std::string_view name = text.substr(begin, at - begin);
    return name.substr(0, name.find_last_not_of(" \t\r\n") + 1);
  }

  Error atColumn(size_t place, const std::string &message) const {
    return makeError("schedule {}: column {}: {}", inQuotes(text), place + 1, message);
  }

  Error problem(std::string_view expected) {
    skipBlanks();
    const std::string found = at < text.size() ? inQuotes(text.substr(at, 1)) : "the end";
    return atColumn(at, fmt::format("expected {}, found {}", expected, found));
  }

  Result<double> number() {
    skipBlanks();
    double value = 0;
    const bool looksRight =
        at < text.size() && (text[at] == '-' || text[at] == '.' || (text[at] >= '0' && text[at] <= '9'));
    const auto [end, code] = std::from_chars(text.data() + at, text.data() + text.size(), value);
    if (!looksRight || code != std::errc())
      return problem("a number");
    at = static_cast<size_t>(end - text.data());
    return value;
  }

  Result<ScheduleSpec> schedule(int depth) {
    skipBlanks();
    const size_t begin = at;
    const std::string_view name = word();
    if (name.empty())
      return problem("the name of a schedule");
    const KindRow *row = rowNamed(name);
    if (!row)
      return atColumn(begin, unknownKind(name).message);
    if (depth > 8)
      return atColumn(begin, "schedules are nested too deeply");
    ScheduleSpec spec;
    spec.kind = name;
    if (!take('('))
      return spec;
    bool named = false;
    for (size_t position = 0; !take(')'); ++position) {
      if (position > 0 && !take(','))
        return problem("',' or ')'");
      if (Result<void> read = argument(*row, position, named, spec, depth); !read)
        return read.error();
    }
    return spec;
  }

  Result<void> argument(const KindRow &row, size_t position, bool &named, ScheduleSpec &spec, int depth) {
    skipBlanks();
    const size_t begin = at;
    std::string name(word());
    if (name.empty()) {
      if (named)
        return problem("a name, as before");
      if (position >= row.settings.size())
        return atColumn(begin, fmt::format("{} takes at most {} numbers without names", row.name, row.settings.size()));
      name = row.settings[position].name;
    } else {
      named = true;
      if (!take('='))
        return problem("'='");
    }
    if (name == "then" && spec.kind == "warmup") {
      if (!spec.following.empty())
        return atColumn(begin, "'then' is given twice");
      Result<ScheduleSpec> inner = schedule(depth + 1);
      if (!inner)
        return inner.error();
      spec.following.push_back(std::move(*inner));
      return {};
    }
    if (name == "on" && spec.kind == "plateau") {
      if (!spec.watched.empty())
        return atColumn(begin, "'on' is given twice");
      spec.watched = watchedName();
      if (spec.watched.empty())
        return problem("loss or the name of a metric");
      return {};
    }
    if (std::none_of(row.settings.begin(), row.settings.end(),
                     [&](const Setting &known) { return name == known.name; }))
      return atColumn(begin, unknownSetting(row, name).message);
    Result<double> value = number();
    if (!value)
      return value.error();
    if (!spec.numbers.emplace(name, *value).second)
      return atColumn(begin, fmt::format("'{}' is given twice", name));
    return {};
  }

  std::string_view text;
  size_t at = 0;
};

} // namespace

Result<Schedule> Schedule::create(const ScheduleSpec &spec) {
  const KindRow *row = rowNamed(spec.kind);
  if (!row)
    return unknownKind(spec.kind);
  Schedule schedule;
  schedule.kind = static_cast<Kind>(row - kindRows().data());
  for (const Setting &setting : row->settings) {
    const auto given = spec.numbers.find(setting.name);
    if (given == spec.numbers.end()) {
      if (setting.needed)
        return makeError("{} needs {}", row->name, setting.name);
      schedule.numbers[setting.name] = setting.initial;
      continue;
    }
    const double value = given->second;
    if (!(value >= setting.low && value <= setting.high)) {
      const std::string least = setting.low == tiny ? "above 0" : fmt::format("{} or more", setting.low);
      const std::string most = setting.high >= 1e9        ? ""
                               : setting.high == 1 - tiny ? " and below 1"
                                                          : fmt::format(" and at most {}", setting.high);
      return makeError("{}: {} is {} (expected {}{})", row->name, setting.name, value, least, most);
    }
    if (setting.whole && value != std::floor(value))
      return makeError("{}: {} is {} (expected a whole number)", row->name, setting.name, value);
    schedule.numbers[setting.name] = value;
  }
  for (const auto &[name, value] : spec.numbers)
    if (!schedule.numbers.contains(name))
      return unknownSetting(*row, name);
  if (!spec.watched.empty() && schedule.kind != Kind::Plateau)
    return unknownSetting(*row, "on");
  if (!spec.following.empty() && schedule.kind != Kind::Warmup)
    return unknownSetting(*row, "then");
  if (schedule.kind == Kind::Plateau) {
    schedule.watchedName = spec.watched.empty() ? "loss" : spec.watched;
    schedule.higherIsBetter = host::higherIsBetter(schedule.watchedName);
  }
  if (schedule.kind == Kind::Warmup) {
    if (spec.following.size() > 1)
      return makeError("warmup has {} schedules in 'then' (expected one)", spec.following.size());
    Result<Schedule> following = spec.following.empty() ? Schedule() : create(spec.following.front());
    if (!following)
      return following;
    schedule.following.push_back(std::move(*following));
  }
  return schedule;
}

double Schedule::rate(double base, const ScheduleTime &time) const {
  const auto step = static_cast<double>(time.step);
  auto cycleSteps = [&] { return number("epochs") > 0 ? stepsIn(number("epochs"), time) : time.totalSteps; };
  switch (kind) {
  case Kind::Constant:
    return base;
  case Kind::Step:
    return base * std::pow(number("factor"), std::floor(step / static_cast<double>(stepsIn(number("epochs"), time))));
  case Kind::Exponential: {
    const double epoch = step / static_cast<double>(std::max<int64_t>(1, time.stepsPerEpoch));
    return base * std::pow(number("factor"), epoch / number("epochs"));
  }
  case Kind::Cosine:
    return halfCosine(base, number("minimum"), step / static_cast<double>(std::max<int64_t>(1, cycleSteps())));
  case Kind::Warmup: {
    const int64_t length = stepsIn(number("epochs"), time);
    ScheduleTime rest = time;
    rest.step = std::max<int64_t>(0, time.step - length);
    rest.totalSteps = std::max<int64_t>(1, time.totalSteps - length);
    const double then = following.front().rate(base, rest);
    if (time.step >= length)
      return then;
    return number("start") + (then - number("start")) * (step + 1) / static_cast<double>(length + 1);
  }
  case Kind::OneCycle: {
    const auto length = static_cast<double>(std::max<int64_t>(1, cycleSteps()));
    const double begin = base / number("divide"), end = begin / number("final");
    const double top = number("rise") * length - 1, last = length - 1;
    return step <= top ? halfCosine(begin, base, top > 0 ? step / top : 1)
                       : halfCosine(base, end, (step - top) / (last - top));
  }
  case Kind::Plateau:
    return std::max(number("minimum"), base * std::pow(number("factor"), static_cast<double>(reductions)));
  }
  return base;
}

std::string_view Schedule::watched() const {
  if (kind == Kind::Warmup)
    return following.front().watched();
  return watchedName;
}

void Schedule::observe(double value) {
  if (kind == Kind::Warmup)
    return following.front().observe(value);
  if (kind != Kind::Plateau)
    return;
  const double margin = number("threshold");
  const bool better = !std::isnan(value) &&
                      (!observedAny || (higherIsBetter ? value > best * (1 + margin) : value < best * (1 - margin)));
  if (better) {
    observedAny = true;
    best = value;
    badEpochs = 0;
  } else {
    ++badEpochs;
  }
  if (coolingEpochs > 0) {
    --coolingEpochs;
    badEpochs = 0;
  }
  if (static_cast<double>(badEpochs) > number("patience")) {
    ++reductions;
    badEpochs = 0;
    coolingEpochs = static_cast<int64_t>(number("cooldown"));
  }
}

std::string Schedule::state() const {
  if (kind == Kind::Warmup)
    return following.front().state();
  if (kind != Kind::Plateau)
    return {};
  JsonWriter json;
  json.beginObject().key("best");
  if (observedAny)
    json.value(best);
  else
    json.null();
  json.member("bad_epochs", badEpochs).member("cooling_epochs", coolingEpochs).member("reductions", reductions);
  return json.endObject().text();
}

Result<void> Schedule::restore(std::string_view state) {
  if (kind == Kind::Warmup)
    return following.front().restore(state);
  if (kind != Kind::Plateau) {
    if (state.empty())
      return {};
    return makeError("{} keeps no state, but the checkpoint has one: {}", text(), inQuotes(state));
  }
  Result<JsonValue> json = parseJson(state);
  auto count = [&](const char *name) -> int64_t {
    const JsonValue *value = json ? json->find(name) : nullptr;
    return value && value->isInteger() && value->integer >= 0 ? value->integer : -1;
  };
  const JsonValue *value = json && json->isObject() ? json->find("best") : nullptr;
  const int64_t bad = value ? count("bad_epochs") : -1, cooling = value ? count("cooling_epochs") : -1,
                reduced = value ? count("reductions") : -1;
  if (bad < 0 || cooling < 0 || reduced < 0 || (!value->isNumber() && value->kind != JsonValue::Kind::Null))
    return makeError("{} is not the state of a plateau schedule", inQuotes(state));
  observedAny = value->isNumber();
  best = observedAny ? value->real : 0;
  badEpochs = bad;
  coolingEpochs = cooling;
  reductions = reduced;
  return {};
}

std::string Schedule::text() const {
  const KindRow &row = kindRows()[static_cast<size_t>(kind)];
  std::vector<std::string> parts;
  for (const Setting &setting : row.settings)
    if (const double value = number(setting.name); value != 0 || setting.name != std::string_view("epochs"))
      parts.push_back(fmt::format("{} = {}", setting.name, value));
  if (kind == Kind::Plateau)
    parts.push_back("on = " + watchedName);
  if (kind == Kind::Warmup)
    parts.push_back("then = " + following.front().text());
  return fmt::format("{}({})", row.name, fmt::join(parts, ", "));
}

Result<ScheduleSpec> parseScheduleSpec(std::string_view text) { return Parser(text).whole(); }

Result<Schedule> parseSchedule(std::string_view text) {
  Result<ScheduleSpec> spec = parseScheduleSpec(text);
  if (!spec)
    return spec.error();
  Result<Schedule> schedule = Schedule::create(*spec);
  if (!schedule)
    return makeError("schedule {}: {}", inQuotes(text), schedule.error().message);
  return schedule;
}

} // namespace cnn::host
