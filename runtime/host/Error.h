//===- Error.h - Errors as values -----------------------------------------===//
//
// What can fail returns Result<T>: a value, or an Error holding one line of text that says what is wrong, with which
// file or tensor, and what was expected. Tools print that line and exit with 1; nothing here throws or aborts.
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_ERROR_H
#define CNN_RUNTIME_HOST_ERROR_H

#include <fmt/format.h>

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace cnn::host {

struct Error {
  std::string message;
};

/// An error from a format string and its arguments.
template <class... Args> Error makeError(fmt::format_string<Args...> format, Args &&...args) {
  return {fmt::format(format, std::forward<Args>(args)...)};
}

/// A value or an Error. It is tested before it is used: `if (!result) return result.error();`.
template <class T> class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() & { return *value(); }
  const T &operator*() const & { return *value(); }
  T &&operator*() && { return std::move(*value()); }
  T *operator->() { return value(); }
  const T *operator->() const { return value(); }

  const Error &error() const {
    assert(!*this && "no error to read");
    return *std::get_if<1>(&state);
  }

private:
  T *value() {
    assert(*this && "an error was not handled");
    return std::get_if<0>(&state);
  }
  const T *value() const {
    assert(*this && "an error was not handled");
    return std::get_if<0>(&state);
  }

  std::variant<T, Error> state;
};

/// Success or an Error; `return {};` is success.
template <> class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)) {}

  explicit operator bool() const { return !failure; }
  const Error &error() const {
    assert(failure && "no error to read");
    return *failure;
  }

private:
  std::optional<Error> failure;
};

/// `text` in single quotes for a message: control characters and bytes that are no UTF-8 as \xNN, so that a name out of
/// a hostile file cannot steer a terminal, and cut after 120 bytes.
std::string inQuotes(std::string_view text);

/// The length of the well-formed UTF-8 sequence (RFC 3629) at the front of `text`; 0 where there is none.
size_t utf8SequenceLength(std::string_view text);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_ERROR_H
