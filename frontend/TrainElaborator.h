// The elaboration of a train block, beside that of the networks it calls: once for training, once for evaluation. It
// follows the block's statements and knows what each state variable holds at each place, because `minimize` and batch
// norm change them.
#pragma once

#include "frontend/Elaborator.h"
#include "frontend/Training.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

#include <set>

namespace cnn {

/// A learning rate over time. `text` is a description for parseSchedule() of runtime/host/training/Schedules.h.
struct ScheduleValue {
  double base = 0;
  std::string text = "constant()";
  /// What `plateau` watches, and where that is said.
  std::string watched;
  SourceRange range;
};

struct OptimizerValue {
  OptimizerAttr optimizer;
  /// One, or one for each part that `over` names.
  std::vector<ScheduleValue> rates;
  SourceRange ratesRange;
  std::optional<double> clipValue, clipNorm;
};

/// A figure of a report, see TrainingReport.
struct MetricValue {
  std::string name, metric;
  std::vector<mlir::Value> operands;
  int64_t classes = 0;
  std::vector<std::pair<std::string, double>> settings;
};

class TrainElaborator {
public:
  enum class Mode { Training, Evaluation };

  /// What was found in training is kept in `program`; an evaluation follows it.
  TrainElaborator(Elaborator &elaborator, Mode mode, const ast::TrainDecl &decl, FileScope &scope,
                  const TrainingRequest &request, TrainingProgram &program);
  ~TrainElaborator();

  /// Gives the program its modules of this mode; false after errors.
  bool run();

  // What the elaborator asks and says.
  void minimize(const ast::MinimizeStmt &stmt);
  void report(const ast::ReportStmt &stmt);
  /// A binding of the block; a setting takes the value of the command line.
  void bindSetting(const ast::BindStmt &stmt, Value &value);
  /// What the paths of a network's parameters begin with.
  std::string prefixOf(const ast::NetworkDecl &network) const;
  /// What a state variable holds here.
  mlir::Value read(const std::string &path);
  void update(const std::string &path, mlir::Value value) { current[path] = value; }
  /// A network is about to be called, by the one that is active or by the block.
  void calling(const ast::NetworkDecl &network) {
    if (!e.activeNetworks.empty())
      nested[e.activeNetworks.back()].insert(&network);
  }
  /// The body of a network was elaborated for a call, with its inputs bound in `inputs`; `preprocesses` and `names` are
  /// where its own statements begin.
  void called(const NetworkRef &network, Frame &inputs, size_t preprocesses, size_t names, bool hasFailed);
  /// A call of an augmentation, which belongs to a function of its own. Reports where it stands elsewhere.
  static Value augment(TrainElaborator *training, LayerCall &call);
  bool isTraining(llvm::StringRef path) const { return mode == Mode::Training && !frozenCalls && !isFrozen(path); }
  /// The first input, which has the batch's extent.
  mlir::Value batched() const { return rawInputs.front(); }
  mlir::Value seed() { return draws().first; }
  mlir::Value stepNumber() { return draws().second; }
  std::string drawPath(llvm::StringRef path);

  /// Within a call of a frozen network.
  struct FrozenGuard {
    FrozenGuard(TrainElaborator &training, bool isFrozen) : training(training), isFrozen(isFrozen) {
      training.frozenCalls += isFrozen;
    }
    ~FrozenGuard() { training.frozenCalls -= isFrozen; }
    FrozenGuard(const FrozenGuard &) = delete;
    TrainElaborator &training;
    bool isFrozen;
  };

  // What the functions of train blocks do (Train*.cpp).
  Mode modeOf() const { return mode; }
  /// A network, or a part of one, that a function or `over` is given; nullopt after an error.
  std::optional<ParameterGroup> group(const Value &value, SourceRange range, llvm::StringRef what);
  /// The parameters of a group that are known by now, as they were declared; empty after an error, which is reported.
  std::vector<std::string> parametersOf(const ParameterGroup &group, SourceRange range);
  int64_t rankOf(const std::string &path) const;
  void freeze(const ParameterGroup &group, SourceRange range);
  void average(const NetworkRef &network, double decay, SourceRange range);
  void initialize(const NetworkRef &network, std::string file, std::vector<std::pair<std::string, SourceRange>> except,
                  SourceRange range);
  /// The number of classes of a tensor of labels; 0 for other tensors.
  int64_t classesOf(mlir::Value labels) const { return classes.lookup(labels); }
  void setClasses(mlir::Value labels, int64_t count) { classes[labels] = count; }

private:
  Elaborator &e;
  Mode mode;
  const ast::TrainDecl &decl;
  FileScope &scope;
  const TrainingRequest &request;
  TrainingProgram &program;
  Frame *block = nullptr;

  /// A function being built: the step, or the augmentation of its inputs.
  struct Function {
    mlir::OwningOpRef<mlir::ModuleOp> module;
    mlir::func::FuncOp function;
    mlir::Block *entry = nullptr;
    unsigned inputs = 0, rates = 0;
    std::pair<mlir::Value, mlir::Value> draws;
  };
  Function main, augmentation;
  /// The one that operations go to.
  Function *active = &main;
  std::vector<mlir::NamedAttrList> augmentationAttributes;
  std::vector<mlir::NamedAttrList> &attributesOf(Function &function) {
    return &function == &main ? e.argumentAttributes : augmentationAttributes;
  }

  /// The inputs of the block, and what augmentation makes of them: an argument of the step and the value that it has
  /// in the augmentation.
  struct Augmented {
    size_t input;
    mlir::Value result;
  };
  std::vector<mlir::Value> rawInputs;
  llvm::MapVector<mlir::Value, Augmented> augmented;
  /// In an evaluation: what augmentations give in the place of inputs.
  llvm::DenseMap<mlir::Value, size_t> evaluated;
  /// What the augmentation gives, by the name of the step's input.
  std::vector<std::pair<std::string, mlir::Value>> augmentedInputs;
  llvm::DenseMap<mlir::Value, int64_t> classes;

  struct Minimization {
    std::string path;
    mlir::Value loss;
    std::vector<MinimizeOp> ops;
    std::vector<std::string> opPaths;
    std::vector<mlir::Value> rates;
    std::vector<ScheduleValue> schedules;
    std::vector<std::string> parameters;
  };
  std::vector<Minimization> minimizations;
  struct Report {
    MetricValue metric;
    SourceRange range;
  };
  std::vector<Report> reports;

  std::map<std::string, mlir::Value> current;
  std::map<std::string, unsigned> drawCounts;
  unsigned frozenCalls = 0;
  struct FrozenGroup {
    ParameterGroup group;
    SourceRange range;
  };
  std::vector<FrozenGroup> frozen;

  std::vector<const ast::NetworkDecl *> networks;
  /// Calls of these failed, so that parameters may be missing.
  std::set<const ast::NetworkDecl *> failed;
  std::map<const ast::NetworkDecl *, std::set<const ast::NetworkDecl *>> nested;
  std::map<const ast::NetworkDecl *, std::vector<const ast::NamesStmt *>> names;
  struct Inherited {
    mlir::ArrayAttr steps;
    SourceRange range;
  };
  std::map<size_t, Inherited> inherited;

  struct Average {
    const ast::NetworkDecl *network;
    double decay;
    std::vector<std::string> parameters;
    SourceRange range;
    /// The counter of what was averaged, then the averages: arguments and new values.
    struct Variable {
      std::string path;
      mlir::Value before, after;
    };
    std::vector<Variable> variables;
  };
  std::vector<Average> averages;
  struct Initialization {
    const ast::NetworkDecl *network;
    std::string file;
    std::vector<std::pair<std::string, SourceRange>> except;
    SourceRange range;
  };
  std::vector<Initialization> initializations;

  // Signature and surroundings (ElaborateTrain.cpp).
  bool signature();
  void begin(Function &function, llvm::StringRef name);
  mlir::Value addArgument(Function &function, unsigned at, mlir::Type type, llvm::StringRef attribute,
                          llvm::StringRef name, SourceRange range);
  std::pair<mlir::Value, mlir::Value> draws();
  void findNetworks();
  void checkBindings();
  std::optional<size_t> inputOf(mlir::Value value) const;
  bool hasPreprocess(size_t input) const;

  // Finishing (FinishTrain.cpp).
  struct Result {
    mlir::Value value;
    llvm::StringLiteral attribute;
    std::string name;
  };
  bool finish();
  void nameInputs();
  void nameMinimizations();
  void nameReports(std::vector<Result> &results);
  void followReports(std::vector<Result> &results);
  void addStateResults(std::vector<Result> &results);
  void checkWatched();
  void describeInputs();
  void describeNetworks();
  void describeInitial();
  void eraseArgument(Function &function, mlir::Value argument);
  void close(Function &function, llvm::ArrayRef<Result> results);
  bool finishAugmentation();
  bool verify(Function &function);

  // Parameters (ElaborateMinimize.cpp).
  bool isFrozen(llvm::StringRef path) const;
  /// How much of a variable's path the group names; nullopt where the variable is not of the group.
  std::optional<size_t> matches(const ast::NetworkDecl &network, llvm::StringRef group, llvm::StringRef path) const;
  std::vector<std::string> stateOf(const ast::NetworkDecl &network) const;
  std::string relativeTo(const ast::NetworkDecl &network, llvm::StringRef path) const;
  void update(Minimization &minimization, const ast::MinimizeStmt &stmt, const OptimizerValue &optimizer,
              llvm::ArrayRef<ParameterGroup> groups);
  std::string textOf(const ParameterGroup &group) const;
  std::string bindingOf(mlir::Value value) const;
  std::string freePath(const std::string &path) const;
};

} // namespace cnn
