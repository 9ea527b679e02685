// Single operations against PyTorch: test/oracle/ops.json, written by test/oracle/make_ops.py.
#include "Support.h"

#include "ir/reference/Philox.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace cnn::reference;
using namespace cnn::test;

static Shape shapeFrom(const llvm::json::Array &extents) {
  Shape shape;
  for (const llvm::json::Value &extent : extents)
    shape.push_back(*extent.getAsInteger());
  return shape;
}

/// random_input(1, name, shape) of random_state.py.
static Tensor drawInput(const std::string &name, const Shape &shape) {
  Draws draws(1, name, 0);
  Tensor tensor(shape);
  for (int64_t i = 0; i < tensor.elements(); ++i)
    tensor.values[i] = float(toNormal(draws.words(i / 4)[i % 4]));
  return tensor;
}

TEST(Torch, AgreesWithTheReference) {
  auto file = llvm::MemoryBuffer::getFile(TORCH_OPS_FILE);
  ASSERT_TRUE(bool(file)) << TORCH_OPS_FILE;
  llvm::Expected<llvm::json::Value> parsed = llvm::json::parse((*file)->getBuffer());
  ASSERT_TRUE(bool(parsed)) << llvm::toString(parsed.takeError());
  ASSERT_GE(parsed->getAsArray()->size(), 19u);
  for (const llvm::json::Value &entry : *parsed->getAsArray()) {
    const llvm::json::Object &each = *entry.getAsObject();
    std::string name = each.getString("name")->str(), op = each.getString("op")->str();
    std::vector<Tensor> operands;
    for (const llvm::json::Value &extents : *each.getArray("operands"))
      operands.push_back(drawInput(name + "/" + std::to_string(operands.size()), shapeFrom(*extents.getAsArray())));
    if (op == "batch_norm")
      for (double &variance : operands[4].values)
        variance = std::fabs(variance);
    Tensor expected(shapeFrom(*each.getArray("shape")));
    ASSERT_EQ(each.getArray("values")->size(), size_t(expected.elements())) << name;
    for (auto [value, to] : llvm::zip(*each.getArray("values"), expected.values))
      to = *value.getAsNumber();
    bool hasBias = op == "conv2d" || op == "conv2d_transpose" || op == "dense";
    expectNear(apply(op, each.getString("attributes")->str(), operands, expected.shape, hasBias ? "bias" : ""),
               expected, 1e-10, name);
  }
}
