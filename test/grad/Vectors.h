// Reads what make_vectors.py wrote: named tensors, one a line.
#pragma once

#include "ir/reference/Tensor.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace cnn::test {

using Vectors = std::map<std::string, reference::Tensor>;

inline Vectors readVectors(const std::string &file) {
  Vectors vectors;
  std::ifstream stream(CNN_GRAD_FOLDER "/vectors/" + file);
  EXPECT_TRUE(stream) << file;
  for (std::string text; std::getline(stream, text);) {
    std::istringstream line(text);
    std::string name, extents, extent;
    line >> name >> extents;
    reference::Shape shape;
    if (extents != "-")
      for (std::istringstream list(extents); std::getline(list, extent, ',');)
        shape.push_back(std::stoll(extent));
    reference::Tensor tensor(shape);
    for (double &value : tensor.values)
      line >> value;
    EXPECT_TRUE(line) << file << ": " << name;
    vectors[name] = std::move(tensor);
  }
  return vectors;
}

} // namespace cnn::test
