// The tables of names of other frameworks; ForeignNames.h has the contract.
#include "frontend/ForeignNames.h"

#include "frontend/Diagnostics.h"

namespace cnn {
namespace {

struct ForeignName {
  llvm::StringLiteral foreign, here;
};

/// Several rows may have one foreign name: the first whose name here the layer has is meant.
constexpr ForeignName kParameters[] = {
    {"units", "features"},
    {"unit", "features"},
    {"out_features", "features"},
    {"filters", "channels"},
    {"out_channels", "channels"},
    {"num_filters", "channels"},
    {"features", "channels"},
    {"channels", "features"},
    {"kernel_size", "kernel"},
    {"kernel_shape", "kernel"},
    {"pool_size", "kernel"},
    {"strides", "stride"},
    {"padding", "pad"},
    {"pads", "pad"},
    {"padding", "amount"},
    {"dilations", "dilation"},
    {"dilation_rate", "dilation"},
    {"group", "groups"},
    {"use_bias", "bias"},
    {"padding_mode", "border"},
    {"kernel_initializer", "init"},
    {"initializer", "init"},
    {"weight", "weights"},
    {"class_weight", "weights"},
    {"ceil_mode", "ceil"},
    {"count_include_pad", "count_pad"},
    {"scale_factor", "scale"},
    {"interpolation", "mode"},
    {"epsilon", "eps"},
    {"p", "rate"},
    {"prob", "rate"},
    {"drop_rate", "rate"},
    {"negative_slope", "slope"},
    {"dim", "axis"},
    {"dims", "axis"},
    {"axes", "axis"},
    {"keepdim", "keep"},
    {"keepdims", "keep"},
    {"perm", "order"},
    {"dims", "order"},
    {"target_shape", "shape"},
    {"min", "low"},
    {"max", "high"},
    {"dtype", "to"},
    {"prob", "p"},
    {"angle", "degrees"},
    {"angles", "degrees"},
    {"label_smoothing", "smoothing"},
    {"learning_rate", "lr"},
    {"rate", "lr"},
    {"clipnorm", "clip_norm"},
    {"clipvalue", "clip_value"},
    {"step_size", "epochs"},
    {"T_max", "epochs"},
    {"warmup_epochs", "epochs"},
    {"gamma", "factor"},
    {"eta_min", "minimum"},
    {"min_lr", "minimum"},
};

/// What no layer has as a parameter, and what to do instead.
constexpr ForeignName kWithout[] = {
    {"in_features", "leave it out: the input has its features in its type"},
    {"in_channels", "leave it out: the input has its channels in its type"},
    {"input_shape", "leave it out: the input has its shape in its type"},
    {"activation", "an activation is a layer of its own, as in -> relu"},
};

constexpr ForeignName kDeclarations[] = {
    {"net", "network"},    {"model", "network"},  {"graph", "network"}, {"def", "block"},      {"fn", "block"},
    {"func", "block"},     {"function", "block"}, {"layer", "block"},   {"let", "const"},      {"var", "const"},
    {"include", "import"}, {"use", "import"},     {"fit", "train"},     {"training", "train"}, {"labels", "names"},
};

/// A guess is shown only where at most a third of the letters changed: 'units' is no misspelt 'init'.
bool isLikely(llvm::StringRef word, llvm::StringRef guess) {
  return word.edit_distance_insensitive(guess) * 3 <= word.size();
}

} // namespace

std::string parameterHint(const LayerInfo &layer, llvm::StringRef name) {
  std::vector<llvm::StringRef> names;
  for (const LayerParameter &parameter : layer.parameters)
    names.push_back(parameter.name);
  if (names.empty())
    return "; it has none";
  for (const ForeignName &row : kParameters)
    if (row.foreign == name && llvm::is_contained(names, row.here))
      return "; it is called '" + row.here.str() + "' here";
  for (const ForeignName &row : kWithout)
    if (row.foreign == name)
      return "; " + row.here.str();
  if (std::string guess = nearest(name, names); !guess.empty() && isLikely(name, guess))
    return "; did you mean '" + guess + "'?";
  // What 'init' is told by is found where 'init' is described.
  if (llvm::is_contained(names, "init"))
    llvm::erase_if(names, [](llvm::StringRef known) {
      return known == "mean" || known == "std" || known == "low" || known == "high";
    });
  return "; it has " + listOfNames(names, "and");
}

std::string declarationHint(llvm::StringRef word) {
  for (const ForeignName &row : kDeclarations)
    if (row.foreign == word)
      return "; did you mean '" + row.here.str() + "'?";
  return didYouMean(word, {"network", "block", "const", "import", "train", "preprocess", "names"});
}

} // namespace cnn
