// `--pictures`: what an evaluation sees and makes, a column a sample.
#pragma once

#include "runtime/host/Picture.h"
#include "tools/cnnc/training/TrainingData.h"

namespace cnn {

/// Collects the pictures of the first samples: a row for each input of the block, and for each value that a report
/// takes, which is a grey or colour picture [N, 1 or 3, H, W]. What a report takes one number a sample of, the score of
/// `auc`, say, stands below the first row.
class ReportedPictures {
public:
  /// The arguments outlive the object.
  ReportedPictures(const TrainingProgram &program, const StepModule &evaluate, const BatchBinding &binding);

  size_t rows() const { return pictureRows.size(); }
  void add(const host::Batch &batch, const StepCall &call, llvm::ArrayRef<std::string> classNames);
  host::Result<void> write(const std::string &path) const;

private:
  struct Row {
    std::string name;
    std::optional<size_t> output; // otherwise an input of the block
    std::vector<host::LabelledPicture> pictures;
  };
  static bool isPicture(llvm::ArrayRef<int64_t> shape);
  void addOperand(const ReportOperand &operand, const StepModule &evaluate);

  static constexpr int64_t kColumns = 10;
  const BatchBinding &binding;
  std::vector<Row> pictureRows;
  std::vector<std::pair<std::string, size_t>> numbers; // and their outputs
  std::string label;                                   // the input that is a class of the sample
};

} // namespace cnn
