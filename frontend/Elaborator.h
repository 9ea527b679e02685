// The elaboration of a network: evaluates the syntax tree, calls blocks, turns loops, and builds flat `cnn` operations.
// The parts live in Elaborate*.cpp, what each layer does in Layers*.cpp.
#pragma once

#include "frontend/Frontend.h"
#include "frontend/Imports.h"
#include "frontend/Value.h"

#include "ir/CnnOps.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

#include <map>
#include <optional>

namespace cnn {

struct LayerCall;
class TrainElaborator;

/// Where paths are made: a network, or the call of a block. `replay`: a further application of what is shared, which
/// meets the paths and parameters of the first one.
struct PathScope {
  std::string prefix;
  bool replay = false;
  std::map<std::string, unsigned> ordinals;
};

/// An argument of a call after evaluation; positional ones have no name.
struct CallArgument {
  ast::Identifier name;
  SourceRange range;
  Value value;
};

/// A layer that is applied several times with one set of parameters.
struct SharedLayer {
  Value callee;
  llvm::StringRef calleeName;
  SourceRange range;
  std::vector<CallArgument> arguments;
  std::string path;
  bool replay = false;
};

struct Binding {
  Value value;
  SourceRange range;
  bool isConst = false;
  bool isUsed = false;
};

/// The body of one network or of one call of a block, and the scopes of the loops and branches inside it.
struct Frame {
  FileScope *file = nullptr;
  /// Null where layers cannot be applied: in constants.
  PathScope *paths = nullptr;
  std::vector<llvm::StringMap<Binding>> scopes;
  /// Where names of loops that are over were bound, for who asks for one.
  llvm::StringMap<SourceRange> ended;
};

enum class StateKind { Parameter, Statistic };

/// The names of declared inputs, results or parameters.
template <typename T> std::vector<llvm::StringRef> namesOf(const std::vector<T> &declared) {
  std::vector<llvm::StringRef> names;
  names.reserve(declared.size());
  for (const T &entry : declared)
    names.push_back(entry.name.text);
  return names;
}

/// The largest tensor, in elements of one image: sums over a network's tensors then stay in 64 bits.
inline constexpr int64_t kMaxElements = int64_t(1) << 47;
inline constexpr size_t kMaxRank = 8; // what tensors of a library may have
/// Evaluation steps of one run, calls within calls, entries of a list, bytes of a string or a path.
inline constexpr uint64_t kMaxSteps = 1'000'000;
inline constexpr unsigned kMaxCalls = 100, kMaxDepth = 512;
inline constexpr size_t kMaxListLength = 1'000'000, kMaxText = 4096;

class Elaborator {
public:
  Elaborator(mlir::MLIRContext &context, Diagnostics &diagnostics);

  mlir::OwningOpRef<mlir::ModuleOp> run(const ast::NetworkDecl &network, FileScope &scope,
                                        const NetworkRequest &request);

  mlir::OpBuilder builder;
  int64_t recomputeRegions = 0; ///< So many `@recompute` there were, each with a number of its own.

  // Diagnostics: every error gets the notes of the calls and loops around it.
  Value error(SourceRange range, std::string message, std::vector<Note> notes = {});
  /// Reports a name that is bound to nothing, with the nearest one.
  Value unknownName(llvm::StringRef name, SourceRange range, bool asCallee);
  /// The note that says where a tensor comes from, if it is known and not within `but`.
  static void addOrigin(std::vector<Note> &notes, const Value &value, const std::string &what);
  std::string describe(const Value &value) const { return cnn::describe(value, batchName); }
  std::string typeText(mlir::Type type) const {
    return cnn::typeText(llvm::cast<mlir::RankedTensorType>(type), batchName);
  }
  std::string shapeText(llvm::ArrayRef<int64_t> shape) const { return cnn::shapeText(shape, batchName); }
  mlir::Location location(SourceRange range);

  // Tensors.
  /// True when a tensor of this shape is of a size that can be handled; reports otherwise.
  bool checkSize(llvm::ArrayRef<int64_t> shape, SourceRange range, llvm::StringRef what);
  /// A list or number as a constant tensor; a tensor as it is; null with an error otherwise.
  mlir::Value toTensor(const Value &value, SourceRange range, llvm::StringRef what);
  /// The element-wise operation `kind` ("add", "max", ...) with NumPy's broadcasting.
  Value binary(llvm::StringRef kind, const Value &lhs, const Value &rhs, SourceRange range, llvm::StringRef path);
  /// Repeats `value` to `shape`, aligned at the last dimension.
  mlir::Value broadcastTo(mlir::Value value, llvm::ArrayRef<int64_t> shape, SourceRange range, llvm::StringRef path);
  mlir::Value reshapeTo(mlir::Value value, llvm::ArrayRef<int64_t> shape, SourceRange range, llvm::StringRef path);
  /// A state variable as an argument of the function; in a replay the one that is there.
  mlir::Value state(StateKind kind, const std::string &path, llvm::ArrayRef<int64_t> shape, InitAttr init,
                    SourceRange range, bool replay);
  /// The path of an unlabelled operation of a kind: `conv_0`.
  std::string ordinalPath(llvm::StringRef kind, SourceRange range);

  // Training (ElaborateTrain.cpp). Elsewhere all is as in inference.
  /// Whether what is built now is to be trained: dropout drops, and batch norm at `path` takes the batch's statistics.
  bool isTraining(llvm::StringRef path) const;
  /// Whether what is built now stands in a train block itself and not in a network that it calls.
  bool isTrainBlock() const { return training && activeNetworks.empty(); }
  /// Whether noise at `path` is drawn: in networks that are trained, and in train blocks themselves, evaluated or not.
  bool drawsAt(llvm::StringRef path) const { return isTrainBlock() || isTraining(path); }
  /// A tensor of the train block that has the batch's extent.
  mlir::Value batched();
  /// In a train block, training or evaluation: where draws have numbers to draw from.
  bool hasDraws() const { return training != nullptr; }
  /// Arguments of the function that is being built, tensor<i64>, for draws; in train blocks alone.
  mlir::Value seed();
  mlir::Value stepNumber();
  /// The path for draws at `path`: of its own for each application of what is shared.
  std::string drawPath(llvm::StringRef path);
  /// What a state variable holds from here on.
  void updateState(const std::string &path, mlir::Value value);

  // Expressions (ElaborateExpression.cpp, ElaborateOperators.cpp).
  Value evaluate(const ast::Expr *expr);

  // Preprocessing (Preprocess.cpp): the attribute for an input, or null with an error.
  mlir::ArrayAttr preprocess(const ast::PreprocessStmt &stmt, Value input);

private:
  friend struct LayerCall;
  friend class TrainElaborator;
  TrainElaborator *training = nullptr;

  mlir::MLIRContext &context;
  Diagnostics &diagnostics;
  std::string batchName = "N";

  struct Level {
    SourceRange range;
    std::string note;
    mlir::Location location;
  };
  std::vector<Level> levels;
  unsigned depth = 0, calls = 0;
  uint64_t steps = 0;
  bool stopped = false;
  Frame *frame = nullptr;
  std::vector<const ast::BlockDecl *> activeBlocks;
  std::vector<const ast::NetworkDecl *> activeNetworks;

  struct NetworkInstance {
    unsigned applications = 0;
  };
  std::map<const ast::NetworkDecl *, NetworkInstance> instances;
  std::map<const ast::BindStmt *, std::optional<Value>> constants;
  std::map<std::string, SourceRange> claimed;

  struct StateVariable {
    mlir::Operation *op;
    mlir::Value argument;
    SourceRange range;
  };
  std::map<std::string, StateVariable> states;
  /// Their paths as they were declared.
  std::vector<std::string> stateOrder;
  int64_t stateElements = 0;
  mlir::Block *entry = nullptr;
  mlir::OpBuilder stateBuilder;
  std::vector<mlir::NamedAttrList> argumentAttributes;
  std::vector<const ast::PreprocessStmt *> preprocesses;
  std::vector<const ast::NamesStmt *> nameMaps;

  struct FrameGuard;
  struct LevelGuard;

  bool step(SourceRange range, unsigned cost = 1);

  // Names.
  Binding *findLocal(llvm::StringRef name);
  std::optional<Value> lookup(llvm::StringRef name, SourceRange range);
  std::optional<Value> lookupCallee(llvm::StringRef name, SourceRange range);
  Value constant(const ast::BindStmt &stmt, FileScope &scope);
  std::vector<llvm::StringRef> visibleNames(bool callable);

  // Expressions.
  Value evaluateString(const ast::StringExpr &expr);
  Value evaluateName(const ast::NameExpr &expr);
  Value evaluateList(const ast::ListExpr &expr);
  Value evaluateTuple(const ast::TupleExpr &expr);
  Value evaluateArrow(const ast::ArrowExpr &expr);
  Value evaluateIf(const ast::IfExpr &expr);
  Value evaluateProperty(const ast::PropertyExpr &expr);
  Value partOf(const Value &network, llvm::StringRef path, SourceRange range);
  Value evaluateIndex(const ast::IndexExpr &expr);
  Value indexList(const ast::IndexExpr &expr, const Value &base);
  Value indexTensor(const ast::IndexExpr &expr, const Value &base);
  std::optional<int64_t> bound(const ast::Expr *expr, int64_t extent, int64_t otherwise, llvm::StringRef what);
  std::optional<int64_t> stride(const ast::Expr *expr, int64_t extent);
  Value evaluateAnnotated(const ast::AnnotatedExpr &expr);
  Value annotate(const ast::AnnotatedExpr &expr, llvm::function_ref<Value()> compute);
  void markRecompute(const ast::Annotation &annotation, mlir::Block *block, mlir::Operation *before);
  Value evaluateShare(const ast::ShareExpr &expr);
  std::optional<std::string> textOf(const Value &value, SourceRange range);
  std::optional<bool> truth(const ast::Expr *expr);

  // Operators.
  Value evaluateUnary(const ast::UnaryExpr &expr);
  Value evaluateBinary(const ast::BinaryExpr &expr);
  Value evaluateLogic(const ast::BinaryExpr &expr, const Value &lhs);
  Value compare(const ast::BinaryExpr &expr, const Value &lhs, const Value &rhs);
  Value range(const ast::BinaryExpr &expr, const Value &lhs, const Value &rhs);
  Value arithmetic(const ast::BinaryExpr &expr, const Value &lhs, const Value &rhs);
  Value integerArithmetic(const ast::BinaryExpr &expr, int64_t lhs, int64_t rhs);

  // Statements (ElaborateBody.cpp).
  enum class Use { Result, None };
  Value body(const ast::Body &body);
  Value statements(const ast::Body &body);
  void bind(const ast::BindStmt &stmt);
  void bindName(const ast::Identifier &target, Value value, bool isConst, bool newScope);
  void loop(const ast::ForStmt &stmt);
  bool bindPattern(const ast::LoopPattern &pattern, const Value &value, SourceRange range, std::string &note);
  void poisonAssigned(const ast::Body &body);
  Value returned(const ast::ReturnStmt &stmt);

  // Calls (ElaborateCall.cpp).
  Value apply(const ast::ApplyExpr &expr, std::vector<CallArgument> arguments);
  bool evaluateArguments(const std::vector<ast::Argument> &arguments, std::vector<CallArgument> &into);
  static void spread(const Value &value, SourceRange range, std::vector<CallArgument> &into);
  /// What a label says; nullopt after an error.
  std::optional<std::string> labelText(const ast::Expr *label);
  /// The full path of a label; nullopt after an error.
  std::optional<std::string> claimLabel(const ast::Expr *label);
  bool claim(const std::string &path, SourceRange range, bool replay);
  struct Target {
    std::string path;
    bool replay;
  };
  Value dispatch(const Value &callee, llvm::StringRef name, SourceRange range, std::vector<CallArgument> arguments,
                 std::optional<Target> target);
  Value callLayer(const LayerInfo &layer, SourceRange range, std::vector<CallArgument> arguments,
                  std::optional<Target> target);
  Value callBlock(const BlockRef &block, SourceRange range, std::vector<CallArgument> arguments,
                  std::optional<Target> target);
  Value callNetwork(const NetworkRef &network, SourceRange range, std::vector<CallArgument> arguments);
  Value callShared(SharedLayer &shared, SourceRange range, std::vector<CallArgument> arguments);

  // Networks (ElaborateNetwork.cpp).
  /// The type of an input or result; `symbol` is the signature's batch, set by the first type. class(K) stands where
  /// `classes` takes K.
  std::optional<mlir::RankedTensorType> type(const ast::Type &type, ast::Identifier &symbol,
                                             int64_t *classes = nullptr);
  bool inputs(const ast::NetworkDecl &network, const NetworkRequest &request, Frame &into);
  mlir::RankedTensorType replaceShape(const ast::TypedName &input, mlir::RankedTensorType type,
                                      const NetworkRequest &request);
  Value checkResults(const ast::NetworkDecl &network, Value result, bool shapesReplaced);
  /// Gives the variables whose paths begin with `prefix` their names in weights files.
  void applyNames(llvm::ArrayRef<const ast::NamesStmt *> maps, llvm::StringRef prefix);
  void collectNames(const ast::File &file);
  void applyPreprocess(const ast::File &file, const ast::NetworkDecl &network, Frame &inputs);
  void finish(mlir::func::FuncOp function, const Value &result);
};

/// Restores the frame that was current.
struct Elaborator::FrameGuard {
  FrameGuard(Elaborator &elaborator, Frame &frame) : elaborator(elaborator), outer(elaborator.frame) {
    elaborator.frame = &frame;
  }
  ~FrameGuard() { elaborator.frame = outer; }
  Elaborator &elaborator;
  Frame *outer;
};

/// A call or a turn of a loop, for notes and locations.
struct Elaborator::LevelGuard {
  LevelGuard(Elaborator &elaborator, SourceRange range, std::string note) : elaborator(elaborator) {
    mlir::Location location = elaborator.location(range);
    elaborator.levels.push_back({range, std::move(note), location});
  }
  ~LevelGuard() { elaborator.levels.pop_back(); }
  Elaborator &elaborator;
};

} // namespace cnn
