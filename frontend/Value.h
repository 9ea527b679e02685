// What an expression is worth while a network is elaborated: numbers, words and lists that exist only then, and
// tensors, which are values of the IR.
#pragma once

#include "frontend/Ast.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace cnn {

struct FileScope;
struct LayerInfo;
struct SharedLayer;
struct Value;
struct MetricValue;
struct OptimizerValue;
struct ScheduleValue;

/// What failed already; whatever it meets is poisoned too, silently.
struct Poison {};
/// The value of a statement that has none.
struct Nothing {};
struct Text {
  std::string text;
};
/// A bare word that is no binding: an enumerator of whatever parameter it is given to.
struct Word {
  std::string text;
};
/// The symbol of the batch, N.
struct Batch {
  std::string name;
};
using List = std::shared_ptr<const std::vector<Value>>;
/// Several results; `names` is empty or as long as `elements`.
struct TupleData {
  std::vector<Value> elements;
  std::vector<std::string> names;
};
using Tuple = std::shared_ptr<const TupleData>;
struct BlockRef {
  const ast::BlockDecl *decl;
  FileScope *scope;
};
/// `isFrozen`: applied without gradients of its parameters, as in inference.
struct NetworkRef {
  const ast::NetworkDecl *decl;
  FileScope *scope;
  bool isFrozen = false;
};
/// `net.head` or `net["layer1.0"]`: the parameters below a path of a network.
struct ParameterGroup {
  NetworkRef network;
  std::string path;
};
using Shared = std::shared_ptr<SharedLayer>;

struct Value {
  using Data = std::variant<Poison, Nothing, mlir::Value, int64_t, double, bool, Text, Word, Batch, List, Tuple,
                            const LayerInfo *, BlockRef, NetworkRef, Shared, ParameterGroup,
                            std::shared_ptr<const ScheduleValue>, std::shared_ptr<const OptimizerValue>,
                            std::shared_ptr<const MetricValue>>;
  Data data;
  /// The expression that made the value.
  SourceRange origin;

  Value() = default;
  template <typename T> Value(T data, SourceRange origin) : data(std::move(data)), origin(origin) {}

  template <typename T> bool is() const { return std::holds_alternative<T>(data); }
  template <typename T> const T &as() const { return *std::get_if<T>(&data); }
  template <typename T> const T *get() const { return std::get_if<T>(&data); }
  bool isPoison() const { return is<Poison>(); }
  bool isTensor() const { return is<mlir::Value>(); }
  bool isNumber() const { return is<int64_t>() || is<double>(); }
  double number() const { return is<int64_t>() ? static_cast<double>(as<int64_t>()) : as<double>(); }
  mlir::Value tensor() const { return as<mlir::Value>(); }
  mlir::RankedTensorType tensorType() const { return llvm::cast<mlir::RankedTensorType>(tensor().getType()); }
};

/// True when the value, or something within the list or tuple, failed.
bool holdsPoison(const Value &value);

/// `f32[N, 3, 224, 224]`, with the batch symbol's name.
std::string typeText(mlir::RankedTensorType type, llvm::StringRef batch);
/// `[N, 3]`
std::string shapeText(llvm::ArrayRef<int64_t> shape, llvm::StringRef batch);

/// A number as one would write it.
std::string numberText(double value);

/// A value in words, for messages: `the integer 3`, `the tensor f32[N, 3]`, `the layer 'conv'`.
std::string describe(const Value &value, llvm::StringRef batch);

} // namespace cnn
