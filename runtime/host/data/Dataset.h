//===- Dataset.h - Data sets for training, evaluation and prediction ------===//
//
// Opens what people have (IDX, CIFAR, folders of pictures or a tar of them, NumPy, pictures with masks) and gives its
// samples by index, converted to what a network takes. What can be checked without decoding every picture is checked at
// the opening; every error is one line that names the file. A Dataset is immutable and cheap to copy; all of its
// functions may be called from many threads at once.
//
// A data set consists of parts: "image" and "label" (a class); "image", "mask", and "weight", which borderWeights()
// makes of the mask; for NumPy the names of its arrays. The network's inputs (Field) are filled from them.
//
//   auto splits = openSplits("data/mnist", {.fields = {{.name = "image", .shape = {1, 28, 28}},
//                                                      {.name = "label", .dtype = DType::I32, .classes = 10}}});
//
//===----------------------------------------------------------------------===//
#ifndef CNN_RUNTIME_HOST_DATA_DATASET_H
#define CNN_RUNTIME_HOST_DATA_DATASET_H

#include "runtime/host/Image.h"
#include "runtime/host/Preprocess.h"
#include "runtime/host/Tensor.h"
#include "runtime/host/Tiles.h"

#include <memory>

namespace cnn::host {

/// One input of the network or of the train block, without the batch dimension.
///
/// Pictures (files, IDX, CIFAR, and u8 arrays of NumPy) are 8-bit and become, row-major in the field's shape [C, H, W]
/// (or [H, W, C] where `dtype` is U8 and only that order fits, or any shape of rank 1 or [H, W] with as many elements):
///   - with `preprocess`, what its steps make of them: picture steps in 8 bits, then the arithmetic, exactly as
///     preprocess() of Preprocess.h;
///   - without, their values / 255 (rounded once), or the raw values 0..255 where DatasetOptions::pixels says Raw or
///     `dtype` is U8. A grey picture fills three channels equally; a colour picture for one channel is an error that
///     names channels(grey), a picture of another size one that names resize.
/// Other arrays of NumPy are taken as they are, converted to `dtype`; sizes of 1 may be missing or additional.
/// Classes are indices 0 .. classes - 1. In a mask of two classes 0 is 0, and 1 and 255 are 1; with more, the pixel's
/// value is the class.
struct Field {
  std::string name;
  DType dtype = DType::F32; // F32, F64, U8, I32 or I64
  std::vector<int64_t> shape = {};
  int64_t classes = 0; // class(n) of the language; 0: no class
  std::vector<PreprocessStep> preprocess = {};
  /// The data's part it is filled from. Where empty: the part of the field's own name ("x" and "images" are "image",
  /// "y" and "labels" "label", "weights" "weight"); otherwise "label" for a class or a scalar, "mask" for a class with
  /// a height and a width, else "image".
  std::string part = {};
};

/// Train-*, data_batch_*, train/ · the given fraction of it, or else val/ and validation/, or else Test · t10k-*,
/// test_batch, test/, or else val/. Data without such parts is one whole: Train, less the fraction, and Test.
enum class Split { Train, Validation, Test };

/// Whether the field's preprocessing makes pictures of another size.
bool changesSize(const Field &field);

/// What 8-bit values become where no preprocessing is declared: value / 255, or the value.
enum class PixelScale { Unit, Raw };

struct DatasetOptions {
  std::vector<Field> fields;
  Split split = Split::Train;
  /// The share of Train kept for Validation, chosen by `seed` alone; 0: none, Validation is a part of its own.
  double validation = 0;
  uint64_t seed = 0;
  /// The classes in the order of the network's outputs, as kept with its weights. Folders are matched by name. Empty:
  /// the data's own names, folders sorted by name (by value where all are numbers).
  std::vector<std::string> classNames = {};
  PixelScale pixels = PixelScale::Unit;
  /// Reads the classes of the samples also where no field takes them.
  bool labels = false;
  /// Decodes every sample at the opening, with `threads` threads, and leaves out those that fail (skipped() lists
  /// them), so that what remains is the same in every run. Otherwise the first bad sample met is an error.
  bool skipBad = false;
  unsigned threads = 1;
  /// Samples are tiles (Tiles.h), of the size of the fields, of pictures and masks of any size; so many pixels on each
  /// side of a tile are told by its neighbours.
  std::optional<int64_t> overlap = std::nullopt;
  /// Decoded pictures are kept in memory where all of them fit in so many bytes.
  uint64_t cacheBytes = uint64_t(1) << 30;
};

/// Where a sample that is a tile belongs.
struct TileOfPicture {
  int64_t picture; // tiles of one follow each other, from 0 to tiling->count() - 1
  int64_t tile;
  std::array<int64_t, 2> size; // of the picture
  const Tiling *tiling;        // as long-lived as the data set
};

class Dataset {
public:
  int64_t size() const;
  const std::vector<Field> &fields() const;
  /// By class index; empty where the data names none.
  const std::vector<std::string> &classNames() const;
  /// "IDX", "CIFAR", "folders of classes", ...
  const std::string &format() const;

  /// One sample: buffers[f] receives fieldBytes(f) bytes of field f, row-major.
  Result<void> sample(int64_t index, std::span<uint8_t *const> buffers) const;
  int64_t fieldBytes(size_t field) const;
  /// The picture behind the first field that is one, before preprocessing; for sheets of pictures.
  Result<Image> picture(int64_t index) const;
  /// For messages and tables: "data/train/cat/0003.jpg", "data/t10k-images-idx3-ubyte.gz[17]".
  std::string sampleName(int64_t index) const;
  /// The class of the sample, without decoding; -1 where the data has none (masks, plain pictures, real targets).
  int64_t label(int64_t index) const;
  /// Nothing where samples are whole.
  std::optional<TileOfPicture> tile(int64_t index) const;
  /// Samples of each class 0 .. classes - 1; empty where there are none.
  std::vector<int64_t> classCounts() const;

  /// What skipBad left out, by the message that it would have been.
  const std::vector<std::string> &skipped() const;
  /// What the data set holds in memory at most, decoded pictures included.
  uint64_t memoryBytes() const;

  /// The samples of these indices, in this order (a limit, one class held out).
  Dataset subset(std::span<const int64_t> indices) const;

  class Impl;
  explicit Dataset(std::shared_ptr<const Impl> impl) : impl(std::move(impl)) {}

private:
  std::shared_ptr<const Impl> impl;
};

/// Opens one split. `path` is a folder with
///   - IDX: train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-..., each also with .gz (labels only where asked
///   for);
///   - CIFAR-10 or CIFAR-100 in binary: data_batch_1.bin ..., test_batch.bin, batches.meta.txt; train.bin, test.bin;
///   - NumPy: images.npy and labels.npy, x.npy and y.npy, or PART.npy; x_train.npy, x_test.npy ... for splits; an .npy
///     of any name that is named itself has the pictures;
///   - pictures and masks: images/ and masks/ with the same stems, also within train/, val/, test/;
///   - a folder of PNG or JPEG pictures for each class, also within train/, val/, test/;
///   - pictures alone, where only "image" is asked for;
///   - one archive of these;
/// or one of these files, a tar or tar.gz of such a folder, an .npz, or the common beginning of two IDX files'
/// names (data/mnist/t10k).
Result<Dataset> openDataset(const std::string &path, const DatasetOptions &options);

struct Splits {
  Dataset train;
  std::optional<Dataset> validation; // nothing where the data has no such part and no fraction is asked for
  /// The data has no part for validation, and its part to test stands in.
  bool validatesOnTest = false;
};

/// Train and Validation; the latter from `validationPath`, whole or its test part, where that is not empty.
Result<Splits> openSplits(const std::string &path, const DatasetOptions &options,
                          const std::string &validationPath = "");

/// Pictures without labels, for `predict`: files, and folders searched with what is below them, sorted by name within
/// each (without the masks of images/ and masks/); or a data set of openDataset's, without its labels.
Result<Dataset> openPictures(std::span<const std::string> paths, const DatasetOptions &options);

} // namespace cnn::host

#endif // CNN_RUNTIME_HOST_DATA_DATASET_H
