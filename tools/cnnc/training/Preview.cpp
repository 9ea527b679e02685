// The sheet; Preview.h has the contract.
#include "tools/cnnc/training/Preview.h"

#include "runtime/host/Picture.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace cnn {

using host::LabelledPicture;
using host::Result;
using host::TensorView;

static constexpr int64_t kRows = 8, kCopies = 7;

/// Image `index` of a batch of images or masks as [1, ...]; nothing where these are no pictures.
static std::optional<TensorView> pictureAt(const TensorView &batch, int64_t index) {
  size_t rank = batch.shape.size();
  bool isMask = rank == 3, isImage = rank == 4 && (batch.shape[1] == 1 || batch.shape[1] == 3);
  if (!isMask && !isImage)
    return std::nullopt;
  TensorView one = batch;
  one.shape.front() = 1;
  size_t bytes = static_cast<size_t>(*host::byteCount(one.shape, one.dtype));
  one.bytes = batch.bytes.subspan(static_cast<size_t>(index) * bytes, bytes);
  return one;
}

Result<host::Image> previewSheet(const TrainingProgram &program, const StepModule &augment, const host::Dataset &data,
                                 uint64_t seed) {
  auto augmenter = Augmenter::create(augment, program.inputs, kRows, /*workers=*/1, seed);
  if (!augmenter)
    return augmenter.error();
  host::LoaderOptions loading;
  loading.batch = kRows;
  auto loader = host::Loader::create(data, loading);
  if (!loader)
    return loader.error();
  auto next = (*loader)->next();
  if (!next)
    return next.error();
  host::Batch batch = **next;
  std::vector<std::vector<host::Tensor>> copies;
  for (int64_t copy = 0; copy < kCopies; ++copy) {
    if (auto done = (*augmenter)->run(batch, 0, copy); !done)
      return done.error();
    copies.push_back(batch.extra);
  }

  std::vector<LabelledPicture> pictures;
  auto add = [&](const TensorView &tensor, int64_t index, host::ValueRange range, std::string label) -> Result<void> {
    auto image = host::pictureOf(*pictureAt(tensor, index), range);
    if (!image)
      return image.error();
    pictures.push_back({std::move(label), std::move(*image)});
    return {};
  };
  for (int64_t row = 0; row < batch.count; ++row)
    for (size_t output = 0; output < augment.outputs().size(); ++output) {
      StringRef name = augment.outputs()[output].name;
      // What an input became has its name, or one that begins with it.
      StringRef origin = name.split(".augmented").first;
      auto input = llvm::find_if(program.inputs, [&](const TrainingInput &each) { return each.name == origin; });
      if (input == program.inputs.end())
        continue;
      TensorView raw = batch.tensors[static_cast<size_t>(input - program.inputs.begin())].view();
      if (!pictureAt(raw, row) || !pictureAt(copies.front()[output].view(), row))
        continue;
      host::ValueRange range = host::finiteRange(*pictureAt(raw, row));
      if (auto done = add(raw, row, range,
                          llvm::sys::path::filename(data.sampleName(batch.samples[static_cast<size_t>(row)])).str());
          !done)
        return done.error();
      for (const auto &copy : copies)
        if (auto done = add(copy[output].view(), row, range, ""); !done)
          return done.error();
    }
  if (pictures.empty())
    return host::makeError("'{}' augments nothing that is a picture", program.name);
  return host::contactSheet(pictures, static_cast<int>(kCopies) + 1);
}

} // namespace cnn
