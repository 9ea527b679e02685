// The syntax tree as text, for `cnnc emit --stage parse`: a line a node, indented by depth, as the parser understood
// the file, before any name or type is looked up. The text depends on the source alone.
//
//   network 1:1 half
//     input 1:14 x
//       type 1:17 f32
//         name 1:21 N
//         integer 1:24 3
//     binary 2:3 *
//       name 2:3 x
//       fraction 2:7 0.5
//
// A line is `[ROLE: ]KIND LINE:COLUMN[ DETAIL]`, the position being where the node begins; ROLE says which part of its
// parent a node is where its place does not (`label:`, `step:`, `pad =`). An expression that is a statement is its own
// line.
#pragma once

#include "frontend/Ast.h"

#include "llvm/Support/raw_ostream.h"

#include <utility>
#include <vector>

namespace cnn {

/// Prints all declarations of a file in the order of the text.
void printSyntaxTree(const ast::File &file, llvm::raw_ostream &os);

/// Prints one node and what is below it.
void printSyntaxTree(const ast::Node &node, llvm::raw_ostream &os);

/// The networks, blocks, constants and train blocks of a file with their names, in the order of the text.
std::vector<std::pair<llvm::StringRef, const ast::Node *>> namedDeclarations(const ast::File &file);

} // namespace cnn
