// Names that other frameworks and languages have for what is here: a newcomer who writes one is told the name here,
// where the distance between letters would guess something else.
#pragma once

#include "frontend/Layers.h"

namespace cnn {

/// What is said of a parameter that the layer does not have, from "; ": its name here, or what stands for it, or a
/// misspelt name, or the list of those that there are.
std::string parameterHint(const LayerInfo &layer, llvm::StringRef name);

/// `; did you mean 'network'?` of a word where a declaration begins, or an empty string.
std::string declarationHint(llvm::StringRef word);

} // namespace cnn
