// Collects pictures of an evaluation; ReportedPictures.h has the contract.
#include "tools/cnnc/training/ReportedPictures.h"

#include <cmath>

using namespace mlir;

namespace cnn {

/// Of one sample.
bool ReportedPictures::isPicture(ArrayRef<int64_t> shape) {
  return shape.size() == 3 && (shape[0] == 1 || shape[0] == 3) && shape[1] > 1 && shape[2] > 1;
}

void ReportedPictures::addOperand(const ReportOperand &operand, const StepModule &evaluate) {
  std::optional<size_t> output = operand.isInput ? std::nullopt : evaluate.output(operand.name);
  if (!output || llvm::any_of(pictureRows, [&](const Row &row) { return row.output == output; }))
    return;
  const TensorInfo &info = evaluate.outputs()[*output];
  if (info.batched && isPicture(info.shape))
    pictureRows.push_back({operand.name, output, {}});
  else if (info.batched && *host::elementCount(info.shape) == 1 &&
           llvm::none_of(numbers, [&](const auto &known) { return known.second == *output; }))
    numbers.push_back({operand.name, *output});
}

ReportedPictures::ReportedPictures(const TrainingProgram &program, const StepModule &evaluate,
                                   const BatchBinding &binding)
    : binding(binding) {
  for (const TrainingInput &input : program.inputs) {
    ArrayRef<int64_t> shape = input.type.getShape().drop_front();
    if (input.classes && shape.empty())
      label = input.name;
    else if (!input.classes && isPicture(shape))
      pictureRows.push_back({input.name, std::nullopt, {}});
  }
  for (const TrainingReport &report : program.reports)
    for (const ReportOperand &operand : report.operands)
      addOperand(operand, evaluate);
}

void ReportedPictures::add(const host::Batch &batch, const StepCall &call, ArrayRef<std::string> classNames) {
  if (pictureRows.empty())
    return;
  int64_t wanted = std::min<int64_t>(batch.count, kColumns - static_cast<int64_t>(pictureRows.front().pictures.size()));
  if (wanted <= 0)
    return;
  std::vector<double> labels = label.empty() ? std::vector<double>() : binding.find(batch, label).toDoubles();
  bool isFirst = true;
  for (Row &row : pictureRows) {
    host::TensorView all = row.output ? call.output(*row.output) : binding.find(batch, row.name);
    host::ValueRange range = host::finiteRange(all);
    // Values of a picture's usual range keep it, so that rows can be compared.
    if (range.low >= 0 && range.high <= 1)
      range = {0, 1};
    for (int64_t i = 0; i < wanted; ++i) {
      host::TensorView one = all;
      one.shape.front() = 1;
      size_t bytes = all.bytes.size() / static_cast<size_t>(all.shape.front());
      one.bytes = all.bytes.subspan(static_cast<size_t>(i) * bytes, bytes);
      std::string caption = row.name;
      if (isFirst && !labels.empty()) {
        size_t index = static_cast<size_t>(std::max<int64_t>(0, std::llround(labels[static_cast<size_t>(i)])));
        caption = index < classNames.size() ? classNames[index] : row.name + ": " + std::to_string(index);
      }
      if (isFirst)
        for (const auto &[name, output] : numbers)
          caption += fmt::format("\n{} {:.4g}", name, call.output(output).toDoubles()[static_cast<size_t>(i)]);
      if (auto picture = host::pictureOf(one, range))
        row.pictures.push_back({caption, std::move(*picture)});
    }
    isFirst = false;
  }
}

host::Result<void> ReportedPictures::write(const std::string &path) const {
  std::vector<host::LabelledPicture> all;
  for (const Row &row : pictureRows)
    all.insert(all.end(), row.pictures.begin(), row.pictures.end());
  auto sheet = host::contactSheet(all, static_cast<int>(pictureRows.front().pictures.size()));
  if (!sheet)
    return sheet.error();
  return host::writePng(path, *sheet);
}

} // namespace cnn
