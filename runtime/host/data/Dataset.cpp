//===- Dataset.cpp - Data sets for training, evaluation and prediction ----===//
//
// A Shared holds what the splits of one source have in common: the source, the converters, the kept pictures. A Dataset
// is a list of indices into it.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/data/Dataset.h"

#include "runtime/host/data/Convert.h"
#include "runtime/host/data/FileTree.h"
#include "runtime/host/data/Order.h"
#include "runtime/host/data/TiledSource.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>

namespace cnn::host {
namespace {

/// Decoded planes (or finished weights) of all samples, each filled by whoever needs it first.
class PlaneCache {
public:
  PlaneCache(int64_t samples, int64_t planeBytes)
      : bytes(planeBytes), states(new std::atomic<uint8_t>[static_cast<size_t>(samples)]()),
        planes(new uint8_t[static_cast<size_t>(samples * planeBytes)]) {} // untouched pages take no memory

  /// Null where it is not there yet.
  const uint8_t *find(int64_t index) const {
    return states[static_cast<size_t>(index)].load(std::memory_order_acquire) == Ready ? at(index) : nullptr;
  }
  void put(int64_t index, const uint8_t *from) {
    uint8_t expected = Absent;
    std::atomic<uint8_t> &state = states[static_cast<size_t>(index)];
    if (!state.compare_exchange_strong(expected, Filling))
      return;
    std::copy_n(from, bytes, at(index));
    state.store(Ready, std::memory_order_release);
  }

private:
  enum : uint8_t { Absent, Filling, Ready };
  uint8_t *at(int64_t index) const { return planes.get() + index * bytes; }

  int64_t bytes;
  std::unique_ptr<std::atomic<uint8_t>[]> states;
  std::unique_ptr<uint8_t[]> planes;
};

constexpr size_t noPart = SIZE_MAX;

/// One field and where it comes from.
struct Binding {
  FieldConverter converter;
  size_t part = 0;
  std::unique_ptr<PlaneCache> cache;
};

struct Shared {
  SourcePointer source;
  std::shared_ptr<const TiledSource> tiles; // the source, where its samples are tiles
  std::vector<Field> fields;
  std::vector<Binding> bindings;
  std::vector<std::string> classNames, skipped;
  uint64_t cachedBytes = 0;
  /// The class of every sample of the source; empty where it has none.
  std::vector<int64_t> labels;
  int64_t classes = 0;

  Result<void> sample(int64_t index, size_t field, uint8_t *out) const {
    const Binding &binding = bindings[field];
    if (!binding.converter.isPicture())
      return binding.converter.fromArray(source->array(binding.part, index), source->partName(binding.part, index),
                                         out);
    const auto count = static_cast<size_t>(binding.converter.elements());
    const bool finished = binding.converter.isBorderWeights();
    if (const uint8_t *kept = binding.cache ? binding.cache->find(index) : nullptr) {
      if (!finished)
        return binding.converter.fromPlanes({kept, count}, {}, out);
      std::copy_n(kept, binding.converter.bytes(), out);
      return {};
    }
    const std::string name = source->partName(binding.part, index);
    Result<Image> image = source->picture(binding.part, index);
    if (!image)
      return image.error();
    std::vector<uint8_t> planes(count);
    if (Result<void> made = binding.converter.toPlanes(*image, name, planes); !made)
      return made;
    if (Result<void> done = binding.converter.fromPlanes(planes, name, out); !done)
      return done;
    if (binding.cache)
      binding.cache->put(index, finished ? out : planes.data());
    return {};
  }
};

size_t findPart(const Source &source, const Field &field) {
  for (const std::string &name : partCandidates(field))
    for (size_t part = 0; part < source.parts.size(); ++part)
      if (source.parts[part].name == name)
        return part;
  return noPart;
}

/// Names every input that the data has nothing for.
Error missingParts(const std::vector<Field> &fields, const Source &source, const std::string &path) {
  std::string parts, missing;
  for (const Part &part : source.parts)
    parts += (parts.empty() ? "" : ", ") + part.name;
  for (const Field &field : fields) {
    if (findPart(source, field) != noPart)
      continue;
    const bool isClass = field.classes > 0;
    const std::string type = isClass ? fmt::format("class({})", field.classes) : std::string(dtypeName(field.dtype));
    missing += fmt::format("{} input '{}', {} {} of {}", missing.empty() ? "" : ", nor", field.name,
                           isClass || field.dtype == DType::U8 ? "a" : "an", type, shapeText(field.shape));
  }
  return makeError("{}: nothing in the data fits{}; it has {} ({})", inQuotes(path), missing, parts, source.format);
}

std::string joined(const std::vector<std::string> &names) {
  std::string text;
  for (size_t i = 0; i < names.size() && i < 8; ++i)
    text += (i == 0 ? "" : ", ") + inQuotes(names[i]);
  return names.size() > 8 ? text + ", ..." : text;
}

/// From the data's classes to those of `wanted`; empty where they are the same or the data names none.
Result<std::vector<int64_t>> mapClasses(const std::vector<std::string> &have, const std::vector<std::string> &wanted,
                                        const std::string &path) {
  std::vector<int64_t> map;
  if (have.empty() || wanted.empty() || have == wanted)
    return map;
  for (const std::string &name : have) {
    const auto found = std::find(wanted.begin(), wanted.end(), name);
    if (found == wanted.end())
      return makeError("{}: the class {} is none of the network's: {}", inQuotes(path), inQuotes(name), joined(wanted));
    map.push_back(found - wanted.begin());
  }
  return map;
}

/// The class of each sample of part "label", -1 where it is none.
std::vector<int64_t> readLabelsOf(const Source &source, size_t part, const std::vector<int64_t> &classMap) {
  const Part &label = source.parts[part];
  if (label.kind != Part::Kind::Array || elementCount(label.shape) != 1)
    return {};
  std::vector<int64_t> labels(static_cast<size_t>(source.size));
  for (int64_t i = 0; i < source.size; ++i) {
    const double value = TensorView{label.dtype, {1}, source.array(part, i)}.toDoubles()[0];
    const bool whole = value == std::floor(value) && value >= 0 && value < 0x1p31;
    if (!whole)
      return {}; // real targets
    const auto index = static_cast<int64_t>(value);
    labels[static_cast<size_t>(i)] = classMap.empty() ? index
                                     : static_cast<size_t>(index) < classMap.size()
                                         ? classMap[static_cast<size_t>(index)]
                                         : -1;
  }
  return labels;
}

/// Runs `visit(index)` for all indices on several threads.
template <class Visit> void forAll(int64_t count, unsigned threads, Visit visit) {
  std::atomic<int64_t> next = 0;
  auto work = [&] {
    for (int64_t i = next++; i < count; i = next++)
      visit(i);
  };
  std::vector<std::thread> others;
  for (unsigned t = 1; t < threads; ++t)
    others.emplace_back(work);
  work();
  for (std::thread &other : others)
    other.join();
}

} // namespace

class Dataset::Impl {
public:
  std::shared_ptr<const Shared> shared;
  std::vector<int64_t> indices;

  int64_t at(int64_t index) const { return indices[static_cast<size_t>(index)]; }
};

namespace {

Dataset makeDataset(std::shared_ptr<const Shared> shared, std::vector<int64_t> indices) {
  auto impl = std::make_shared<Dataset::Impl>();
  impl->shared = std::move(shared);
  impl->indices = std::move(indices);
  return Dataset(std::move(impl));
}

/// What can be said about labels without decoding pictures.
Result<void> checkArrays(const Shared &shared) {
  for (size_t f = 0; f < shared.bindings.size(); ++f) {
    const Binding &binding = shared.bindings[f];
    if (binding.converter.isPicture() || shared.fields[f].classes == 0)
      continue;
    std::vector<uint8_t> scratch(binding.converter.bytes());
    for (int64_t i = 0; i < shared.source->size; ++i)
      if (Result<void> done = binding.converter.fromArray(shared.source->array(binding.part, i),
                                                          shared.source->partName(binding.part, i), scratch.data());
          !done)
        return done;
  }
  return {};
}

/// A source with its fields bound; `indices` are its good samples.
Result<std::shared_ptr<const Shared>> bind(SourcePointer source, const std::string &path, const DatasetOptions &options,
                                           std::vector<int64_t> &indices) {
  auto shared = std::make_shared<Shared>();
  if (options.overlap) {
    Result<std::shared_ptr<const TiledSource>> tiled = TiledSource::create(std::move(source), options);
    if (!tiled)
      return makeError("{}: {}", inQuotes(path), tiled.error().message);
    shared->tiles = *tiled;
    source = std::move(*tiled);
  }
  shared->source = std::move(source);
  shared->fields = options.fields;
  shared->skipped = shared->source->skipped;
  const Source &from = *shared->source;
  if (from.size == 0)
    return makeError("{}: no samples", inQuotes(path));
  Result<std::vector<int64_t>> classMap = mapClasses(from.classNames, options.classNames, path);
  if (!classMap)
    return classMap.error();
  shared->classNames = options.classNames.empty() ? from.classNames : options.classNames;
  uint64_t cacheLeft = options.cacheBytes;
  for (const Field &field : options.fields) {
    const size_t part = findPart(from, field);
    if (part == noPart)
      return missingParts(options.fields, from, path);
    const bool isLabel = from.parts[part].name == "label";
    if (isLabel && field.classes > 0) {
      shared->classes = field.classes;
      if (const auto names = static_cast<int64_t>(shared->classNames.size()); names > 0 && names != field.classes)
        return makeError("{}: {} classes ({}), but input '{}' has {}", inQuotes(path), names,
                         joined(shared->classNames), field.name, field.classes);
    }
    Result<FieldConverter> converter =
        FieldConverter::create(field, from.parts[part], options.pixels, isLabel ? *classMap : std::vector<int64_t>());
    if (!converter)
      return converter.error();
    Binding binding{std::move(*converter), part, nullptr};
    if (binding.converter.isPicture()) {
      const uint64_t each = binding.converter.isBorderWeights() ? binding.converter.bytes()
                                                                : static_cast<uint64_t>(binding.converter.elements());
      uint64_t bytes = 0;
      if (!__builtin_mul_overflow(uint64_t(from.size), each + 1, &bytes) && bytes <= cacheLeft) {
        binding.cache = std::make_unique<PlaneCache>(from.size, static_cast<int64_t>(each));
        cacheLeft -= bytes;
        shared->cachedBytes += bytes;
      }
    }
    shared->bindings.push_back(std::move(binding));
  }
  for (size_t part = 0; part < from.parts.size(); ++part)
    if (from.parts[part].name == "label")
      shared->labels = readLabelsOf(from, part, *classMap);
  if (!shared->labels.empty() && shared->classes == 0)
    shared->classes = 1 + *std::max_element(shared->labels.begin(), shared->labels.end());

  indices.resize(static_cast<size_t>(from.size));
  std::iota(indices.begin(), indices.end(), 0);
  if (!options.skipBad) {
    if (Result<void> checked = checkArrays(*shared); !checked)
      return checked.error();
    return std::shared_ptr<const Shared>(std::move(shared));
  }
  std::vector<std::string> messages(indices.size());
  forAll(from.size, std::max(options.threads, 1u), [&](int64_t index) {
    std::vector<uint8_t> scratch;
    for (size_t f = 0; f < shared->bindings.size(); ++f) {
      scratch.resize(shared->bindings[f].converter.bytes());
      if (Result<void> done = shared->sample(index, f, scratch.data()); !done) {
        messages[static_cast<size_t>(index)] = done.error().message;
        return;
      }
    }
  });
  if (shared->tiles) {
    // A picture is left out whole, and counted once.
    std::set<int64_t> bad;
    for (int64_t i = 0; i < from.size; ++i)
      if (std::string &message = messages[static_cast<size_t>(i)];
          !message.empty() && !bad.insert(shared->tiles->tile(i).picture).second)
        message.clear();
    std::erase_if(indices, [&](int64_t index) { return bad.contains(shared->tiles->tile(index).picture); });
  } else {
    std::erase_if(indices, [&](int64_t index) { return !messages[static_cast<size_t>(index)].empty(); });
  }
  for (std::string &message : messages)
    if (!message.empty())
      shared->skipped.push_back(std::move(message));
  if (indices.empty())
    return makeError("{}: all {} samples are bad; the first: {}", inQuotes(path), from.size, shared->skipped.front());
  return std::shared_ptr<const Shared>(std::move(shared));
}

Request requestOf(const DatasetOptions &options, Split split) {
  Request request;
  request.split = split;
  request.skipBad = options.skipBad;
  if (options.labels)
    request.parts.insert("label");
  for (const Field &field : options.fields) {
    const std::vector<std::string> candidates = partCandidates(field);
    request.parts.insert(candidates.begin(), candidates.end());
    if (field.classes > 0 && candidates.back() == "label")
      request.classes = field.classes;
  }
  return request;
}

Result<void> checkOptions(const DatasetOptions &options) {
  if (!(options.validation >= 0 && options.validation < 1))
    return makeError("a share of {} for validation, expected 0 or more and less than 1", options.validation);
  return {};
}

/// The training part without, and with only, the samples for validation.
struct Fraction {
  std::vector<int64_t> train, validation;
};

/// Tiles of a picture stay together: the share is one of pictures, the same as where they are not tiled.
Result<Fraction> split(const Shared &shared, const std::vector<int64_t> &indices, const std::string &path,
                       const DatasetOptions &options) {
  auto wholeOf = [&](int64_t index) { return shared.tiles ? shared.tiles->tile(index).picture : index; };
  std::vector<int64_t> wholes;
  for (int64_t index : indices)
    if (const int64_t whole = wholeOf(index); wholes.empty() || wholes.back() != whole)
      wholes.push_back(whole);
  const auto count = static_cast<int64_t>(wholes.size());
  const std::vector<int64_t> chosen = validationIndices(count, options.validation, options.seed);
  if (chosen.empty() || static_cast<int64_t>(chosen.size()) == count)
    return makeError("{}: a share of {} for validation leaves {} of {} samples for training", inQuotes(path),
                     options.validation, count - static_cast<int64_t>(chosen.size()), count);
  std::set<int64_t> forValidation;
  for (int64_t i : chosen)
    forValidation.insert(wholes[static_cast<size_t>(i)]);
  Fraction fraction;
  for (int64_t index : indices)
    (forValidation.contains(wholeOf(index)) ? fraction.validation : fraction.train).push_back(index);
  return fraction;
}

} // namespace

int64_t Dataset::size() const { return static_cast<int64_t>(impl->indices.size()); }
const std::vector<Field> &Dataset::fields() const { return impl->shared->fields; }
const std::vector<std::string> &Dataset::classNames() const { return impl->shared->classNames; }
const std::string &Dataset::format() const { return impl->shared->source->format; }
const std::vector<std::string> &Dataset::skipped() const { return impl->shared->skipped; }

Result<void> Dataset::sample(int64_t index, std::span<uint8_t *const> buffers) const {
  for (size_t f = 0; f < buffers.size(); ++f)
    if (Result<void> done = impl->shared->sample(impl->at(index), f, buffers[f]); !done)
      return done;
  return {};
}

int64_t Dataset::fieldBytes(size_t field) const {
  return static_cast<int64_t>(impl->shared->bindings[field].converter.bytes());
}

Result<Image> Dataset::picture(int64_t index) const {
  const Shared &shared = *impl->shared;
  for (const Binding &binding : shared.bindings)
    if (binding.converter.isPicture())
      return shared.source->picture(binding.part, impl->at(index));
  return makeError("{}: a sample without a picture", inQuotes(sampleName(index)));
}

std::string Dataset::sampleName(int64_t index) const { return impl->shared->source->name(impl->at(index)); }

int64_t Dataset::label(int64_t index) const {
  const std::vector<int64_t> &labels = impl->shared->labels;
  return labels.empty() ? -1 : labels[static_cast<size_t>(impl->at(index))];
}

std::optional<TileOfPicture> Dataset::tile(int64_t index) const {
  const auto &tiles = impl->shared->tiles;
  return tiles ? std::optional(tiles->tile(impl->at(index))) : std::nullopt;
}

std::vector<int64_t> Dataset::classCounts() const {
  if (impl->shared->labels.empty())
    return {};
  std::vector<int64_t> counts(static_cast<size_t>(impl->shared->classes));
  for (int64_t i = 0; i < size(); ++i)
    if (const int64_t index = label(i); index >= 0 && index < impl->shared->classes)
      ++counts[static_cast<size_t>(index)];
  return counts;
}

uint64_t Dataset::memoryBytes() const {
  return impl->shared->source->memoryBytes() + impl->shared->cachedBytes +
         (impl->indices.size() + impl->shared->labels.size()) * sizeof(int64_t);
}

Dataset Dataset::subset(std::span<const int64_t> indices) const {
  std::vector<int64_t> chosen;
  for (int64_t index : indices)
    chosen.push_back(impl->at(index));
  return makeDataset(impl->shared, std::move(chosen));
}

Result<Dataset> openDataset(const std::string &path, const DatasetOptions &options) {
  if (Result<void> checked = checkOptions(options); !checked)
    return checked.error();
  const bool fromTrain = options.split == Split::Validation && options.validation > 0;
  Request request = requestOf(options, fromTrain ? Split::Train : options.split);
  Result<SourcePointer> source = openSource(path, request);
  if (!source)
    return source.error();
  if (!*source)
    return makeError("{}: there is no part for validation (val/, test/, t10k-...), and no share of the training part "
                     "is asked for",
                     inQuotes(path));
  std::vector<int64_t> indices;
  auto shared = bind(std::move(*source), path, options, indices);
  if (!shared)
    return shared.error();
  if (options.validation > 0 && options.split != Split::Test) {
    Result<Fraction> parts = split(**shared, indices, path, options);
    if (!parts)
      return parts.error();
    indices = std::move(fromTrain ? parts->validation : parts->train);
  }
  return makeDataset(std::move(*shared), std::move(indices));
}

/// Whether a sample's name says, below the data's path, that it is of a part to test.
static bool isOfTestPart(std::string_view name, const std::string &path) {
  if (name.starts_with(path))
    name.remove_prefix(path.size());
  return name.find("test") != std::string_view::npos || name.find("t10k") != std::string_view::npos;
}

Result<Splits> openSplits(const std::string &path, const DatasetOptions &options, const std::string &validationPath) {
  if (Result<void> checked = checkOptions(options); !checked)
    return checked.error();
  Request request = requestOf(options, Split::Train);
  Result<SourcePointer> source = openSource(path, request);
  if (!source)
    return source.error();
  std::vector<int64_t> indices;
  auto shared = bind(std::move(*source), path, options, indices);
  if (!shared)
    return shared.error();
  if (options.validation > 0 && validationPath.empty()) {
    Result<Fraction> parts = split(**shared, indices, path, options);
    if (!parts)
      return parts.error();
    return Splits{makeDataset(*shared, std::move(parts->train)), makeDataset(*shared, std::move(parts->validation))};
  }
  DatasetOptions others = options;
  others.classNames = (*shared)->classNames;
  Splits splits{makeDataset(std::move(*shared), std::move(indices)), std::nullopt};
  request.split = validationPath.empty() ? Split::Validation : Split::Test;
  const std::string &other = validationPath.empty() ? path : validationPath;
  source = openSource(other, request);
  if (!source)
    return source.error();
  if (*source) {
    auto validation = bind(std::move(*source), other, others, indices);
    if (!validation)
      return validation.error();
    splits.validatesOnTest = validationPath.empty() && isOfTestPart((*validation)->source->name(0), path);
    splits.validation = makeDataset(std::move(*validation), std::move(indices));
  }
  return splits;
}

Result<Dataset> openPictures(std::span<const std::string> paths, const DatasetOptions &options) {
  DatasetOptions pictures = options;
  std::erase_if(pictures.fields, [](const Field &field) { return partCandidates(field).back() != "image"; });
  if (paths.empty())
    return makeError("no pictures given");
  std::vector<std::string> files;
  std::string other; // the first that is neither a picture nor a folder
  for (const std::string &path : paths) {
    if (isFolder(path)) {
      const bool masked = isFolder(joinPath(path, "images")) && isFolder(joinPath(path, "masks"));
      const std::string root = masked ? joinPath(path, "images") : path;
      Result<std::shared_ptr<const FileTree>> tree = FileTree::ofFolder(root);
      if (!tree)
        return tree.error();
      for (const std::string &below : (*tree)->paths())
        if (isPictureName(below))
          files.push_back(joinPath(root, below));
        else if (isForeignPictureName(below))
          return makeError("{}: a picture of a kind that is not read, expected PNG or JPEG",
                           inQuotes(joinPath(root, below)));
    } else if (isPictureName(path)) {
      files.push_back(path);
    } else {
      other = other.empty() ? path : other;
    }
  }
  if (files.empty() || !other.empty()) {
    if (paths.size() == 1) {
      pictures.split = Split::Test;
      return openDataset(paths[0], pictures);
    }
    return makeError("{}: not a picture (.png, .jpg, .jpeg) or a folder of them",
                     inQuotes(other.empty() ? paths[0] : other));
  }
  Request request = requestOf(pictures, Split::Test);
  Result<Opened> opened = openPlainPictures(FileTree::ofFiles(std::move(files)), request);
  if (!opened)
    return opened.error();
  std::vector<int64_t> indices;
  auto shared = bind(std::move(opened->source), paths[0], pictures, indices);
  if (!shared)
    return shared.error();
  return makeDataset(std::move(*shared), std::move(indices));
}

} // namespace cnn::host
