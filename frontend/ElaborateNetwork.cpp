// A network as a whole: its signature, its state, its function; the choice of the network in a file.
#include "frontend/Elaborator.h"

#include "frontend/TrainElaborator.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"

namespace cnn {
using namespace ast;

Elaborator::Elaborator(mlir::MLIRContext &context, Diagnostics &diagnostics)
    : builder(&context), context(context), diagnostics(diagnostics), stateBuilder(&context) {}

//===-- Diagnostics and locations
//-------------------------------------------------------------------------------------------===//

Value Elaborator::error(SourceRange range, std::string message, std::vector<Note> notes) {
  constexpr size_t kMaxLevels = 10;
  size_t shown = 0;
  for (const Level &level : llvm::reverse(levels)) {
    if (shown++ == kMaxLevels)
      break;
    notes.push_back({level.range, level.note});
  }
  diagnostics.error(range, std::move(message), std::move(notes));
  return {};
}

void Elaborator::addOrigin(std::vector<Note> &notes, const Value &value, const std::string &what) {
  if (value.origin && (value.isTensor() || value.is<List>()))
    notes.push_back({value.origin, what + " comes from here"});
}

/// Where the text stands, within the calls and loops around it.
mlir::Location Elaborator::location(SourceRange range) {
  Position position = range.position();
  mlir::Location here =
      mlir::FileLineColLoc::get(&context, range.file ? range.file->path() : "", position.line, position.column);
  return levels.empty() ? here : mlir::Location(mlir::CallSiteLoc::get(here, levels.back().location));
}

//===-- State
//--------------------------------------------------------------------------------------------------------------===//

mlir::Value Elaborator::state(StateKind kind, const std::string &path, llvm::ArrayRef<int64_t> shape, InitAttr init,
                              SourceRange range, bool replay) {
  if (!checkSize(shape, range, path))
    return {};
  if (path == kInferFunction || path == kStepFunction || path == kPrepareFunction || path == kRunFunction) {
    error(range,
          "a parameter cannot be called '" + path + "', which is the name of a function of the compiled network");
    return {};
  }
  auto type = mlir::RankedTensorType::get(shape, builder.getF32Type());
  if (auto known = states.find(path); known != states.end()) {
    const StateVariable &variable = known->second;
    if (variable.argument.getType() == type)
      return training ? training->read(path) : variable.argument;
    error(range,
          "'" + path + "' is shared and has the shape " +
              shapeText(llvm::cast<mlir::RankedTensorType>(variable.argument.getType()).getShape()) +
              " from its first application; here it would be " + shapeText(shape),
          {{variable.range, "the first application"}});
    return {};
  }
  if (training && activeNetworks.empty()) {
    error(range,
          "parameters are made in networks: a train block calls networks, whose weights can be saved and loaded");
    return {};
  }
  stateElements += type.getNumElements();
  if (stateElements > kMaxElements) {
    error(range, path + ": the parameters have more than 2^47 elements in all");
    return {};
  }
  mlir::Location loc = location(range);
  auto name = builder.getStringAttr(path);
  mlir::Operation *op = nullptr;
  if (kind == StateKind::Parameter)
    op = ParamOp::create(stateBuilder, loc, name, mlir::TypeAttr::get(type), init, mlir::StringAttr());
  else
    op = StatisticOp::create(stateBuilder, loc, name, mlir::TypeAttr::get(type), init, mlir::StringAttr());
  mlir::Value argument = entry->addArgument(type, loc);
  argumentAttributes.emplace_back().append(kStateAttr, mlir::FlatSymbolRefAttr::get(name));
  states[path] = {op, argument, range};
  stateOrder.push_back(path);
  return training ? training->read(path) : argument;
}

//===-- Signatures
//-----------------------------------------------------------------------------------------------------------===//

std::optional<mlir::RankedTensorType> Elaborator::type(const Type &type, Identifier &symbol, int64_t *classes) {
  if (type.classes && (!classes || type.element.text != "class")) {
    error(type.range, classes ? "'" + type.element.text.str() + "' takes no number; classes are class(10)[N]"
                              : "'class' stands in train blocks");
    return std::nullopt;
  }
  mlir::Type element = type.element.text == "f32"  ? mlir::Type(builder.getF32Type())
                       : type.element.text == "u8" ? mlir::Type(builder.getIntegerType(8, /*isSigned=*/false))
                       : type.classes              ? mlir::Type(builder.getI64Type())
                                                   : mlir::Type();
  if (!element) {
    if (classes)
      error(type.element.range, type.element.text == "class"
                                    ? "'class' needs the number of classes, as in class(10)[N]"
                                    : "the elements of a train block's inputs are 'f32', 'u8' or 'class(K)'; met '" +
                                          type.element.text.str() + "'");
    else
      error(type.element.range,
            "the elements of a network's inputs and results are 'f32' or 'u8'; met '" + type.element.text.str() + "'");
    return std::nullopt;
  }
  if (type.classes) {
    Value count = evaluate(type.classes);
    if (count.isPoison())
      return std::nullopt;
    if (!count.is<int64_t>() || count.as<int64_t>() < 2 || count.as<int64_t>() > 1 << 20) {
      error(type.classes->range, "the number of classes is an integer from 2 to 1048576; met " + describe(count));
      return std::nullopt;
    }
    *classes = count.as<int64_t>();
  }
  const auto *batch = type.extents.empty() ? nullptr : dyn_cast<NameExpr>(type.extents.front());
  auto known = batch ? lookup(batch->name, batch->range) : std::nullopt;
  if (!batch || (known && !known->is<Batch>())) {
    error(type.extents.empty() ? type.range : type.extents.front()->range,
          "the first extent is the batch, a free name such as N");
    return std::nullopt;
  }
  if (symbol.text.empty()) {
    symbol = {batch->name, batch->range};
  } else if (symbol.text != batch->name) {
    error(batch->range, "a network has one batch, '" + symbol.text.str() + "'; met '" + batch->name.str() + "'",
          {{symbol.range, "the batch"}});
    return std::nullopt;
  }
  llvm::SmallVector<int64_t> shape = {mlir::ShapedType::kDynamic};
  for (const Expr *extent : llvm::drop_begin(type.extents)) {
    Value value = evaluate(extent);
    if (value.isPoison())
      return std::nullopt;
    if (value.is<int64_t>() && value.as<int64_t>() >= 1) {
      shape.push_back(value.as<int64_t>());
      continue;
    }
    if (value.is<Batch>() || (value.is<Word>() && value.as<Word>().text == batch->name))
      error(extent->range, "the batch stands in the first place alone");
    else
      error(extent->range, "an extent is an integer of at least 1; met " + describe(value));
    return std::nullopt;
  }
  if (!checkSize(shape, type.range, "this type"))
    return std::nullopt;
  return mlir::RankedTensorType::get(shape, element);
}

/// The type with the extents that the request gives for this input, or null after an error.
mlir::RankedTensorType Elaborator::replaceShape(const TypedName &input, mlir::RankedTensorType type,
                                                const NetworkRequest &request) {
  for (const auto &[name, extents] : request.shapes) {
    if (name != input.name.text)
      continue;
    llvm::ArrayRef<int64_t> given(extents);
    if (static_cast<int64_t>(given.size()) == type.getRank())
      given = given.drop_front();
    if (static_cast<int64_t>(given.size()) != type.getRank() - 1 ||
        llvm::any_of(given, [](int64_t e) { return e < 1; })) {
      error(input.type.range, "the shape asked for, " + shapeText(extents) + ", does not fit " + typeText(type) +
                                  ": as many extents of at least 1, with or without the batch");
      return {};
    }
    llvm::SmallVector<int64_t> shape = {mlir::ShapedType::kDynamic};
    llvm::append_range(shape, given);
    if (!checkSize(shape, input.type.range, "the shape asked for"))
      return {};
    type = mlir::RankedTensorType::get(shape, type.getElementType());
  }
  return type;
}

bool Elaborator::inputs(const NetworkDecl &network, const NetworkRequest &request, Frame &into) {
  std::vector<llvm::StringRef> names = namesOf(network.inputs);
  for (const auto &[name, extents] : request.shapes)
    if (!llvm::is_contained(names, name))
      error(network.name.range,
            "a shape is asked for the input '" + name + "', which the network does not have" + didYouMean(name, names));
  if (network.inputs.empty())
    error(network.name.range, "a network has at least one input");
  Identifier symbol;
  bool fine = true;
  for (const TypedName &input : network.inputs) {
    auto declared = type(input.type, symbol);
    if (declared && batchName != symbol.text)
      batchName = symbol.text.str();
    mlir::RankedTensorType actual = declared ? replaceShape(input, *declared, request) : mlir::RankedTensorType();
    if (!actual) {
      fine = false;
      continue;
    }
    mlir::Value argument = entry->addArgument(actual, location(input.name.range));
    argumentAttributes.emplace_back().append(kInputAttr, builder.getStringAttr(input.name.text));
    into.scopes.back()[input.name.text] = {Value(argument, input.name.range), input.name.range, false};
  }
  return fine && !diagnostics.hasErrors();
}

/// Holds the result against the signature. A single unnamed result stays a tensor; named ones become a tuple in the
/// order of the signature.
Value Elaborator::checkResults(const NetworkDecl &network, Value result, bool shapesReplaced) {
  std::string name = "'" + network.name.text.str() + "'";
  if (result.is<Nothing>())
    return error(network.body.close,
                 "the network " + name + " ends without a result: its last statement is no expression");
  if (result.isPoison())
    return {};
  const Tuple *tuple = result.get<Tuple>();
  if (tuple && (*tuple)->names.empty())
    return error(result.origin, "several results have names, as in return (scores = a, boxes = b)");
  bool single = !network.hasResults ? !tuple : network.results.size() == 1 && network.results.front().name.text.empty();
  if (single && tuple && (*tuple)->elements.size() == 1)
    result = (*tuple)->elements.front();
  else if (single && tuple)
    return error(result.origin, "the network " + name + " has one result; met " + describe(result),
                 {{network.name.range, "the signature"}});

  auto ordered = std::make_shared<TupleData>();
  if (single) {
    ordered->elements.push_back(result);
  } else if (!network.hasResults) {
    *ordered = **tuple;
  } else {
    std::vector<llvm::StringRef> names = namesOf(network.results);
    if (!tuple && names.size() > 1)
      return error(result.origin, "the network " + name + " has the results " + listOfNames(names, "and") + "; met " +
                                      describe(result));
    for (size_t i = 0; tuple && i < (*tuple)->names.size(); ++i)
      if (!llvm::is_contained(names, (*tuple)->names[i]))
        return error(result.origin, "the network " + name + " has no result '" + (*tuple)->names[i] + "'" +
                                        didYouMean((*tuple)->names[i], names));
    for (llvm::StringRef expected : names) {
      ordered->names.push_back(expected.str());
      if (!tuple) {
        ordered->elements.push_back(result);
        continue;
      }
      auto at = llvm::find((*tuple)->names, expected);
      if (at == (*tuple)->names.end())
        return error(result.origin, "the result '" + expected.str() + "' is missing");
      ordered->elements.push_back((*tuple)->elements[at - (*tuple)->names.begin()]);
    }
  }
  Identifier symbol;
  for (const Value &value : ordered->elements) {
    size_t i = &value - ordered->elements.data();
    if (value.isPoison())
      return {};
    if (!value.isTensor())
      return error(value.origin, "the result of a network is a tensor; met " + describe(value));
    auto type = value.tensorType();
    if (type.getRank() == 0 || !type.isDynamicDim(0))
      return error(value.origin, "the result is " + typeText(type) + ", whose first dimension is not the batch");
    if (!network.hasResults)
      continue;
    const TypedName &expected = network.results[i];
    auto declared = this->type(expected.type, symbol);
    if (!declared)
      return {};
    bool fits = shapesReplaced
                    ? declared->getRank() == type.getRank() && declared->getElementType() == type.getElementType()
                    : *declared == type;
    if (!fits) {
      std::string which = expected.name.text.empty() ? "the result" : "the result '" + expected.name.text.str() + "'";
      return error(value.origin, which + " is " + typeText(type) + ", the signature says " + typeText(*declared),
                   {{expected.type.range, "the signature"}});
    }
  }
  return single ? result : Value(Tuple(std::move(ordered)), result.origin);
}

//===-- What surrounds the body
//-----------------------------------------------------------------------------------------------===//

void Elaborator::collectNames(const File &file) {
  if (!file.names.empty() && file.networks.size() > 1)
    error(file.names.front()->range, "in a file of several networks, 'names' stands in the network that it is for");
  else
    llvm::append_range(nameMaps, file.names);
}

void Elaborator::applyNames(llvm::ArrayRef<const NamesStmt *> maps, llvm::StringRef networkPrefix) {
  std::map<std::string, const NamesEntry *> entries;
  for (const NamesStmt *map : maps)
    for (const NamesEntry &entry : map->entries) {
      auto [known, fresh] = entries.try_emplace(entry.path.text.str(), &entry);
      if (!fresh)
        error(entry.path.range, "'" + entry.path.text.str() + "' has two names",
              {{known->second->path.range, "the first"}});
    }
  std::map<const NamesEntry *, bool> used;
  std::map<std::string, const NamesEntry *> taken;
  const NamesEntry *reported = nullptr;
  for (auto &[fullPath, variable] : states) {
    llvm::StringRef path = fullPath;
    if (!path.consume_front(networkPrefix))
      continue;
    // The longest entry that is the path or a part of it up to a dot.
    llvm::StringRef prefix = path;
    while (!prefix.empty() && !entries.count(prefix.str()))
      prefix = prefix.substr(0, prefix.rfind('.') == llvm::StringRef::npos ? 0 : prefix.rfind('.'));
    if (prefix.empty())
      continue;
    const NamesEntry *entry = entries[prefix.str()];
    used[entry] = true;
    std::string name = entry->key.text.str() + path.substr(prefix.size()).str();
    auto [known, fresh] = taken.try_emplace(name, entry);
    if (!fresh && std::exchange(reported, entry) != entry)
      error(entry->key.range, "'" + entry->key.text.str() + "' is mapped to two paths",
            {{known->second->key.range, "the first"}});
    variable.op->setAttr("source_name", builder.getStringAttr(networkPrefix + name));
  }
  std::vector<llvm::StringRef> known;
  known.reserve(states.size());
  for (auto &[path, variable] : states)
    if (llvm::StringRef relative = path; relative.consume_front(networkPrefix))
      known.push_back(relative.rsplit('.').first);
  known.erase(std::unique(known.begin(), known.end()), known.end());
  for (auto &[path, entry] : entries)
    if (!used[entry])
      error(entry->path.range, "the network has no parameters at '" + path + "'" + didYouMean(path, known));
}

void Elaborator::applyPreprocess(const File &file, const NetworkDecl &network, Frame &inputs) {
  if (!file.preprocesses.empty() && file.networks.size() > 1) {
    error(file.preprocesses.front()->range,
          "in a file of several networks, 'preprocess' stands in the network that it is for");
    return;
  }
  llvm::append_range(preprocesses, file.preprocesses);
  FrameGuard guard(*this, inputs);
  std::vector<llvm::StringRef> names = namesOf(network.inputs);
  std::map<llvm::StringRef, const PreprocessStmt *> seen;
  for (const PreprocessStmt *stmt : preprocesses) {
    auto at = llvm::find(names, stmt->input.text);
    if (at == names.end()) {
      error(stmt->input.range,
            "the network has no input '" + stmt->input.text.str() + "'" + didYouMean(stmt->input.text, names));
      continue;
    }
    auto [known, fresh] = seen.try_emplace(stmt->input.text, stmt);
    if (!fresh) {
      error(stmt->input.range, "'" + stmt->input.text.str() + "' is preprocessed twice",
            {{known->second->range, "the first"}});
      continue;
    }
    if (mlir::ArrayAttr steps = preprocess(*stmt, findLocal(stmt->input.text)->value))
      argumentAttributes[at - names.begin()].append(kPreprocessAttr, steps);
  }
}

void Elaborator::finish(mlir::func::FuncOp function, const Value &result) {
  llvm::SmallVector<mlir::Value> values;
  llvm::SmallVector<mlir::Attribute> names;
  if (const Tuple *tuple = result.get<Tuple>()) {
    for (size_t i = 0; i < (*tuple)->elements.size(); ++i) {
      values.push_back((*tuple)->elements[i].tensor());
      names.push_back(builder.getStringAttr((*tuple)->names[i]));
    }
  } else {
    values.push_back(result.tensor());
    names.push_back(builder.getStringAttr("output"));
  }
  // What the source keeps is given under its path.
  for (mlir::Operation &op : *entry) {
    if (!op.hasAttr("cnn.keep") || llvm::is_contained(values, op.getResult(0)))
      continue;
    values.push_back(op.getResult(0));
    names.push_back(builder.getStringAttr(getPath(&op)));
  }
  mlir::func::ReturnOp::create(builder, location(result.origin), values);
  function.setFunctionType(
      builder.getFunctionType(entry->getArgumentTypes(), mlir::TypeRange(mlir::ValueRange(values))));
  llvm::SmallVector<mlir::DictionaryAttr> arguments, results;
  for (mlir::NamedAttrList &attributes : argumentAttributes)
    arguments.push_back(attributes.getDictionary(&context));
  for (mlir::Attribute name : names)
    results.push_back(builder.getDictionaryAttr(builder.getNamedAttr(kOutputAttr, name)));
  function.setAllArgAttrs(arguments);
  function.setAllResultAttrs(results);
}

mlir::OwningOpRef<mlir::ModuleOp> Elaborator::run(const NetworkDecl &network, FileScope &scope,
                                                  const NetworkRequest &request) {
  mlir::Location loc = location(network.name.range);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(loc, network.name.text);
  builder.setInsertionPointToEnd(module->getBody());
  auto function = mlir::func::FuncOp::create(builder, loc, kInferFunction, builder.getFunctionType({}, {}));
  entry = function.addEntryBlock();
  stateBuilder.setInsertionPoint(function);
  builder.setInsertionPointToEnd(entry);

  PathScope paths;
  Frame body;
  body.file = &scope;
  body.paths = &paths;
  body.scopes.emplace_back();
  FrameGuard guard(*this, body);
  if (!inputs(network, request, body))
    return {};
  Frame inputsAlone = body;
  activeNetworks.push_back(&network);
  Value result = checkResults(network, statements(network.body), !request.shapes.empty());
  activeNetworks.pop_back();
  if (!diagnostics.hasErrors()) {
    collectNames(*scope.file);
    applyNames(nameMaps, "");
    applyPreprocess(*scope.file, network, inputsAlone);
  }
  if (diagnostics.hasErrors() || result.isPoison())
    return {};
  finish(function, result);

  // The checks above leave nothing for the verifier to find; should it find something, that is said and not trusted.
  std::string problem;
  mlir::ScopedDiagnosticHandler handler(&context, [&](mlir::Diagnostic &diagnostic) {
    if (problem.empty())
      problem = diagnostic.str();
    return mlir::success();
  });
  if (mlir::failed(mlir::verify(*module))) {
    error(network.name.range, "the elaborated network is not valid: " + problem);
    return {};
  }
  return module;
}

//===-- Interface
//--------------------------------------------------------------------------------------------------------------===//

/// The network asked for, or null after an error.
static const NetworkDecl *chooseNetwork(FileScope *&scope, const NetworkRequest &request, Diagnostics &diagnostics) {
  const File &file = *scope->file;
  std::vector<llvm::StringRef> names;
  names.reserve(file.networks.size());
  for (const NetworkDecl *network : file.networks)
    names.push_back(network->name.text);
  if (request.network.empty()) {
    if (file.networks.size() == 1)
      return file.networks.front();
    if (file.networks.empty())
      diagnostics.error({}, "'" + request.path + "' holds no network");
    else
      diagnostics.error({}, "'" + request.path + "' holds several networks, " + listOfNames(names, "and") +
                                "; say which, as in " + request.path + ":" + names.front().str());
    return nullptr;
  }
  auto found = scope->names.find(request.network);
  bool isTrain = llvm::any_of(file.trains, [&](const TrainDecl *train) { return train->name.text == request.network; });
  bool isOther = found != scope->names.end() && !isa<NetworkDecl>(found->second.node);
  if (isTrain || isOther) {
    diagnostics.error({}, "'" + request.network + "' is " +
                              (isTrain ? "a train block, which 'cnnc train', 'eval', 'emit', 'explain', 'summary', "
                                         "'bench --train' and 'build "
                                         "--train' take"
                                       : "a block or a constant, no network") +
                              (names.empty() ? "; '" + request.path + "' declares no network"
                                             : "; '" + request.path + "' declares " +
                                                   (names.size() == 1 ? "the network " : "the networks ") +
                                                   listOfNames(names, "and")));
    return nullptr;
  }
  if (found == scope->names.end()) {
    diagnostics.error({}, "'" + request.path + "' has no network '" + request.network + "'" +
                              didYouMean(request.network, names));
    return nullptr;
  }
  scope = found->second.owner;
  return cast<NetworkDecl>(found->second.node);
}

static mlir::OwningOpRef<mlir::ModuleOp> elaborate(mlir::MLIRContext &context, FileScope *scope,
                                                   const NetworkRequest &request, Diagnostics &diagnostics) {
  if (diagnostics.hasErrors() || !scope)
    return {};
  const NetworkDecl *network = chooseNetwork(scope, request, diagnostics);
  if (!network)
    return {};
  context.loadDialect<CnnDialect, mlir::func::FuncDialect>();
  return Elaborator(context, diagnostics).run(*network, *scope, request);
}

mlir::OwningOpRef<mlir::ModuleOp> loadNetwork(mlir::MLIRContext &context, const NetworkRequest &request,
                                              Diagnostics &diagnostics) {
  Imports imports(diagnostics);
  return elaborate(context, imports.load(request.path), request, diagnostics);
}

mlir::OwningOpRef<mlir::ModuleOp> loadNetworkFromText(mlir::MLIRContext &context, std::string text,
                                                      const NetworkRequest &request, Diagnostics &diagnostics) {
  Imports imports(diagnostics);
  const SourceFile *source = diagnostics.sources().add(request.path, std::move(text));
  return elaborate(context, imports.add(*source), request, diagnostics);
}

} // namespace cnn
