// Augmentations of train blocks, compiled: what each one does to pixels on every instruction set, that it draws once
// for inputs that are changed alike, and that its groups are those of the reference.
#include "test/unit/codegen/cpu/Compile.h"

#include "frontend/Training.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <numbers>
#include <set>

using namespace cnn;
using cnn::testing::Compiled;

namespace {

constexpr int64_t kBatch = 24, kChannels = 2, kHeight = 6, kWidth = 9, kPlane = kHeight * kWidth;

using Pixels = std::vector<float>;
using Labels = std::vector<int64_t>;

/// The augmentation of a train block with an image and a mask, compiled.
class Augmentation {
public:
  /// `statements` make `a` of the inputs `image`, and may make `m` of `mask`.
  explicit Augmentation(const std::string &statements) {
    std::string text =
        "network net(x: f32[N, 2, " + size(statements) +
        "]) -> f32[N, 1] {\n"
        "  x -> global_avg_pool -> flatten -> d: dense(1)\n}\n"
        "train t(image: f32[N, 2, 6, 9], mask: class(5)[N, 6, 9]) {\n" +
        statements + "\n  minimize mse(net(a), 1)" +
        (statements.find("m = ") == std::string::npos ? std::string() : " + 0 * mse(m -> convert(f32), 1)") +
        " over net using sgd(lr = 0.1)\n}\n";
    mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
    Diagnostics diagnostics;
    TrainingProgram program = loadTrainingFromText(context, text, {"test.cnn", "", {}}, diagnostics);
    std::string module;
    llvm::raw_string_ostream os(module);
    if (program && program.augment)
      program.augment->print(os);
    else
      diagnostics.render(os, /*colour=*/false);
    EXPECT_TRUE(program && program.augment) << text << module;
    if (program && program.augment) {
      cnn::testing::CompileOptions options;
      options.keepBuffers = true;
      compiled = Compiled::create(module, options);
    }
  }

  struct Result {
    Pixels image;
    Labels mask;
  };
  Result run(const Pixels &image, const Labels &mask = Labels(kBatch * kPlane, 0), int64_t seed = 1, int64_t step = 0,
             const std::string &isa = cnn::testing::hostIsas().front()) {
    std::unique_ptr<Loaded> &loaded = known[isa];
    if (!loaded)
      loaded = compiled->load(isa);
    auto outputs = compiled->run(*loaded, kBatch, 1, inputs(image, mask, seed, step));
    Result result;
    for (auto [info, bytes] : llvm::zip(compiled->program().outputs, outputs)) {
      if (info.name == "image") {
        result.image.resize(bytes.size() / 4);
        std::memcpy(result.image.data(), bytes.data(), bytes.size());
      } else {
        result.mask.resize(bytes.size() / 8);
        std::memcpy(result.mask.data(), bytes.data(), bytes.size());
      }
    }
    return result;
  }
  std::vector<std::vector<char>> inputs(const Pixels &image, const Labels &mask, int64_t seed, int64_t step) {
    std::vector<std::vector<char>> all;
    auto give = [&](const void *from, size_t bytes) {
      all.emplace_back(static_cast<const char *>(from), static_cast<const char *>(from) + bytes);
    };
    for (const TensorInfo &info : compiled->program().inputs) {
      if (info.name == "image")
        give(image.data(), image.size() * 4);
      else if (info.name == "mask")
        give(mask.data(), mask.size() * 8);
      else
        give(info.name == "seed" ? &seed : &step, 8);
    }
    return all;
  }

  std::unique_ptr<Compiled> compiled;

private:
  std::map<std::string, std::unique_ptr<Loaded>> known; ///< By instruction set.

  /// What a crop leaves.
  static std::string size(const std::string &statements) {
    return statements.find("random_crop([4, 7]") == std::string::npos ? "6, 9" : "4, 7";
  }
};

Pixels picture(unsigned seed = 1) {
  std::mt19937 random(seed);
  Pixels pixels(kBatch * kChannels * kPlane);
  for (float &pixel : pixels)
    pixel = static_cast<float>(random() % 1000 + 1) / 1000;
  return pixels;
}
Labels labels() {
  std::mt19937 random(3);
  Labels all(kBatch * kPlane);
  for (int64_t &label : all)
    label = random() % 5;
  return all;
}
float at(const Pixels &image, int64_t plane, int64_t y, int64_t x) {
  return y < 0 || y >= kHeight || x < 0 || x >= kWidth ? 0 : image[(plane * kHeight + y) * kWidth + x];
}

TEST(Augment, AFlipMirrorsAndTwoOfThemDoNothing) {
  Pixels image = picture();
  Pixels across = Augmentation("a = image -> flip(p = 1)").run(image).image;
  Pixels down = Augmentation("a = image -> flip(axis = vertical, p = 1)").run(image).image;
  for (int64_t plane = 0; plane < kBatch * kChannels; ++plane)
    for (int64_t y = 0; y < kHeight; ++y)
      for (int64_t x = 0; x < kWidth; ++x) {
        ASSERT_EQ(at(across, plane, y, x), at(image, plane, y, kWidth - 1 - x));
        ASSERT_EQ(at(down, plane, y, x), at(image, plane, kHeight - 1 - y, x));
      }
  EXPECT_EQ(Augmentation("a = image -> flip(p = 1) -> flip(p = 1)").run(image).image, image);
  EXPECT_EQ(Augmentation("a = image -> flip(p = 0)").run(image).image, image);
}

TEST(Augment, AFlipHasItsProbability) {
  Augmentation flip("a = image -> flip(p = 0.25)");
  Pixels image = picture();
  int mirrored = 0;
  for (int64_t step = 0; step < 20; ++step) {
    Pixels result = flip.run(image, Labels(kBatch * kPlane, 0), 1, step).image;
    for (int64_t n = 0; n < kBatch; ++n) {
      bool isMirrored = at(result, n * kChannels, 0, 0) == at(image, n * kChannels, 0, kWidth - 1);
      mirrored += isMirrored;
      // Channels go together.
      EXPECT_EQ(at(result, n * kChannels + 1, 2, 1), at(image, n * kChannels + 1, 2, isMirrored ? kWidth - 2 : 1));
    }
  }
  EXPECT_GT(mirrored, 80); // of 480
  EXPECT_LT(mirrored, 160);
}

/// Where each image was moved to, [dy, dx]: such that every pixel is exactly that of the place it came from.
std::set<std::pair<int64_t, int64_t>> shifts(const Pixels &image, const Pixels &result, int64_t most) {
  std::set<std::pair<int64_t, int64_t>> found;
  for (int64_t n = 0; n < kBatch; ++n) {
    bool isShifted = false;
    for (int64_t dy = -most; dy <= most; ++dy)
      for (int64_t dx = -most; dx <= most; ++dx) {
        bool fits = true;
        for (int64_t plane = n * kChannels; plane < (n + 1) * kChannels; ++plane)
          for (int64_t y = 0; y < kHeight; ++y)
            for (int64_t x = 0; x < kWidth; ++x)
              fits = fits && at(result, plane, y, x) == at(image, plane, y + dy, x + dx);
        if (fits)
          found.insert({dy, dx});
        isShifted |= fits;
      }
    EXPECT_TRUE(isShifted) << "image " << n;
  }
  return found;
}

TEST(Augment, AShiftIsOfWholePixelsUpToItsLimit) {
  Pixels image = picture();
  for (const char *layer : {"shift(1)", "random_crop(pad = 1)"}) {
    Augmentation shift(std::string("a = image -> ") + layer);
    std::set<std::pair<int64_t, int64_t>> found;
    for (int64_t step = 0; step < 8; ++step)
      found.merge(shifts(image, shift.run(image, Labels(kBatch * kPlane, 0), 1, step).image, 2));
    EXPECT_EQ(found.size(), 9u) << layer; // each of them, and none farther
  }
}

TEST(Augment, ACropOfAnotherSizeTakesAPart) {
  Pixels image = picture(), result = Augmentation("a = image -> random_crop([4, 7])").run(image).image;
  ASSERT_EQ(result.size(), size_t(kBatch * kChannels * 4 * 7));
  std::set<std::pair<int64_t, int64_t>> found;
  for (int64_t n = 0; n < kBatch; ++n)
    for (int64_t top = 0; top <= 2; ++top)
      for (int64_t left = 0; left <= 2; ++left) {
        bool fits = true;
        for (int64_t i = 0; i < kChannels * 28; ++i)
          fits = fits &&
                 result[n * kChannels * 28 + i] == at(image, n * kChannels + i / 28, top + i / 7 % 4, left + i % 7);
        if (fits)
          found.insert({top, left});
      }
  EXPECT_GT(found.size(), 5u);
}

TEST(Augment, ARotationByAQuarterIsExact) {
  // Of the square in the middle of the rows: what a quarter turns out of the image is zero.
  Pixels image = picture(), turned = Augmentation("a = image -> rotate([90, 90])").run(image).image;
  for (int64_t plane = 0; plane < kBatch * kChannels; ++plane)
    for (int64_t y = 0; y < kHeight; ++y)
      for (int64_t x = 0; x < kWidth; ++x) {
        // Counterclockwise: what is on the right comes to the top. Centres of 2.5 and 4 put places between pixels.
        double v = 2.5 + (double(x) - 4), u = 4 - (double(y) - 2.5);
        double expected = 0;
        for (int64_t i : {0, 1})
          for (int64_t j : {0, 1})
            expected += 0.25 * at(image, plane, int64_t(std::floor(v)) + i, int64_t(std::floor(u)) + j);
        ASSERT_NEAR(at(turned, plane, y, x), expected, 1e-6);
      }
  Augmentation four("a = image -> rotate([90, 90]) -> rotate([90, 90]) -> rotate([90, 90]) -> rotate([90, 90])");
  EXPECT_EQ(four.run(image).image, image);
  EXPECT_EQ(Augmentation("a = image -> rotate([180, 180])").run(image).image,
            Augmentation("a = image -> flip(p = 1) -> flip(axis = vertical, p = 1)").run(image).image);
}

/// The plane y + 2 x is turned and scaled as places are, away from the border.
TEST(Augment, RandomRotationsAndScalesMoveAroundTheCentre) {
  Pixels image(kBatch * kChannels * kPlane);
  for (int64_t i = 0; i < int64_t(image.size()); ++i)
    image[i] = i / kPlane % 2 ? static_cast<float>(i % kWidth) : static_cast<float>(i / kWidth % kHeight);
  for (bool rotates : {true, false}) {
    Pixels result = Augmentation(rotates ? "a = image -> rotate(20)" : "a = image -> scale(0.2)").run(image).image;
    std::set<float> drawn;
    for (int64_t n = 0; n < kBatch; ++n) {
      // One pixel right of the one below the centre's row: its place says what was drawn.
      double v = at(result, 2 * n, 3, 5) - 2.5, u = at(result, 2 * n + 1, 3, 5) - 4;
      double length = std::hypot(v, u), angle = (std::atan2(v, u) - std::atan2(0.5, 1.0)) * 180 / std::numbers::pi;
      if (rotates) {
        EXPECT_NEAR(length, std::hypot(0.5, 1), 1e-5);
        EXPECT_LE(std::fabs(angle), 20.001);
      } else {
        EXPECT_NEAR(angle, 0, 1e-4);
        EXPECT_GE(std::hypot(0.5, 1) / length, 0.7999);
        EXPECT_LE(std::hypot(0.5, 1) / length, 1.2001);
      }
      drawn.insert(at(result, 2 * n, 3, 5));
    }
    EXPECT_EQ(drawn.size(), size_t(kBatch));
  }
}

TEST(Augment, NoDeformationIsTheIdentity) {
  Pixels image = picture();
  for (const char *layer :
       {"elastic(0)", "rotate(0)", "scale(0)", "shift(0)", "colour(contrast = 0)", "cutout(3, p = 0)"})
    EXPECT_EQ(Augmentation(std::string("a = image -> ") + layer).run(image).image, image) << layer;
}

TEST(Augment, AnElasticDeformationIsSmoothAndOfItsSize) {
  Pixels places(kBatch * kChannels * kPlane);
  for (int64_t i = 0; i < int64_t(places.size()); ++i)
    places[i] = i / kPlane % 2 ? static_cast<float>(i % kWidth) : static_cast<float>(i / kWidth % kHeight);
  Augmentation elastic("a = image -> elastic(0.5, border = clamp)");
  double squares = 0;
  int64_t count = 0;
  for (int64_t step = 0; step < 10; ++step) {
    Pixels result = elastic.run(places, Labels(kBatch * kPlane, 0), 1, step).image;
    for (int64_t n = 0; n < kBatch; ++n) {
      // In the middle lies a point of the grid's columns; places near the border are clamped.
      double moved = at(result, 2 * n + 1, 2, 4) - 4;
      squares += moved * moved;
      ++count;
      for (int64_t x = 3; x < 6; ++x)
        EXPECT_LT(std::fabs(at(result, 2 * n, 2, x) - at(result, 2 * n, 2, x - 1)), 1.5);
    }
  }
  // Between two rows of the grid the weights' squares sum to less than 1.
  EXPECT_NEAR(std::sqrt(squares / double(count)), 0.45, 0.08);
}

TEST(Augment, MasksGoWithTheirImagesAndStayClasses) {
  Labels mask = labels();
  Pixels image(kBatch * kChannels * kPlane);
  for (int64_t i = 0; i < int64_t(image.size()); ++i)
    image[i] = static_cast<float>(mask[i / (kChannels * kPlane) * kPlane + i % kPlane]);
  for (const char *layer : {"flip", "shift(2)", "random_crop(pad = 2, border = reflect)",
                            "rotate(45, filter = nearest)", "scale(0.5, filter = nearest)",
                            "elastic(2, filter = nearest)", "rotate(45, filter = nearest, border = clamp)"}) {
    Augmentation alike(std::string("a, m = (image, mask) -> ") + layer);
    for (const std::string &isa : cnn::testing::hostIsas()) {
      Augmentation::Result result = alike.run(image, mask, 5, 2, isa);
      ASSERT_EQ(result.mask.size(), mask.size());
      EXPECT_NE(result.mask, mask) << layer;
      for (int64_t i = 0; i < int64_t(result.image.size()); ++i)
        ASSERT_EQ(result.image[i], static_cast<float>(result.mask[i / (kChannels * kPlane) * kPlane + i % kPlane]))
            << layer << " on " << isa;
    }
  }
  // Images are interpolated, their masks are not.
  Augmentation::Result mixed = Augmentation("a, m = (image, mask) -> rotate(45)").run(image, mask);
  std::set<int64_t> classes(mixed.mask.begin(), mixed.mask.end());
  EXPECT_THAT(classes, ::testing::ElementsAre(0, 1, 2, 3, 4));
  EXPECT_GT(std::set<float>(mixed.image.begin(), mixed.image.end()).size(), 100u);
}

TEST(Augment, ColoursAreFactorsAndOffsets) {
  Pixels image = picture();
  for (bool perChannel : {false, true}) {
    Augmentation colour(std::string("a = image -> colour(contrast = 0.5, brightness = [0.1, 0.2]") +
                        (perChannel ? ", per_channel = true)" : ")"));
    Pixels result = colour.run(image).image;
    std::set<float> factors;
    for (int64_t plane = 0; plane < kBatch * kChannels; ++plane) {
      const float *x = &image[plane * kPlane], *y = &result[plane * kPlane];
      int64_t other = 1;
      while (x[other] == x[0])
        ++other;
      float factor = (y[other] - y[0]) / (x[other] - x[0]), offset = y[0] - factor * x[0];
      EXPECT_GE(factor, 0.49f);
      EXPECT_LE(factor, 1.51f);
      EXPECT_GE(offset, 0.09f);
      EXPECT_LE(offset, 0.21f);
      factors.insert(std::round(factor * 1000));
      for (int64_t i = 0; i < kPlane; ++i)
        EXPECT_NEAR(y[i], factor * x[i] + offset, 1e-3);
    }
    EXPECT_GT(factors.size(), size_t(perChannel ? 3 * kBatch / 2 : kBatch / 2));
    EXPECT_LE(factors.size(), size_t(perChannel ? 2 * kBatch : 3 * kBatch / 2));
  }
}

TEST(Augment, ACutoutIsARectangle) {
  Pixels image = picture(), result = Augmentation("a = image -> cutout([3, 4], value = 7)").run(image).image;
  std::set<int64_t> areas;
  for (int64_t n = 0; n < kBatch; ++n) {
    std::set<int64_t> rows, columns;
    int64_t cut = 0;
    for (int64_t y = 0; y < kHeight; ++y)
      for (int64_t x = 0; x < kWidth; ++x) {
        bool isCut = at(result, 2 * n, y, x) == 7;
        EXPECT_EQ(at(result, 2 * n + 1, y, x) == 7, isCut);
        if (!isCut) {
          EXPECT_EQ(at(result, 2 * n, y, x), at(image, 2 * n, y, x));
          continue;
        }
        rows.insert(y);
        columns.insert(x);
        ++cut;
      }
    EXPECT_EQ(cut, int64_t(rows.size() * columns.size()));
    EXPECT_THAT(rows.size(), ::testing::AllOf(::testing::Ge(1u), ::testing::Le(3u)));
    EXPECT_THAT(columns.size(), ::testing::AllOf(::testing::Ge(1u), ::testing::Le(4u)));
    areas.insert(cut);
  }
  EXPECT_TRUE(areas.count(12));
  EXPECT_GT(areas.size(), 1u);
}

TEST(Augment, WhatMovesPixelsIsOneResampling) {
  Pixels image = picture();
  Augmentation all("a, m = (image, mask) -> flip -> shift(2) -> rotate(10) -> scale(0.1)");
  std::string text = all.compiled->text();
  size_t warps = 0;
  for (size_t place = text.find("= cnn.warp "); place != std::string::npos; place = text.find("= cnn.warp ", place + 1))
    ++warps;
  EXPECT_EQ(warps, 2u);
  // Maps of whole pixels stay exact in any order.
  Augmentation exact("a = image -> shift(1) -> flip -> random_crop(pad = 1)");
  Pixels result = exact.run(image).image;
  for (int64_t i = 0; i < int64_t(result.size()); ++i)
    ASSERT_TRUE(result[i] == 0 || std::find(image.begin(), image.end(), result[i]) != image.end());
}

TEST(Augment, TheSeedAndTheStepDecide) {
  Augmentation rotate("a, m = (image, mask) -> rotate(45) -> elastic(1)");
  Pixels image = picture();
  Labels mask = labels();
  auto [same, sameMask] = rotate.run(image, mask, 1, 0);
  EXPECT_EQ(rotate.run(image, mask, 1, 0).image, same);
  EXPECT_EQ(rotate.run(image, mask, 1, 0).mask, sameMask);
  EXPECT_NE(rotate.run(image, mask, 2, 0).image, same);
  EXPECT_NE(rotate.run(image, mask, 1, 1).image, same);
}

TEST(Augment, GroupsMatchTheReferenceOnEveryInstructionSet) {
  for (const char *layer : {"flip", "shift(2)", "random_crop([4, 7])", "rotate(30)", "scale(0.3, border = reflect)",
                            "elastic(1)", "colour(contrast = 0.2, brightness = 0.1, per_channel = true)",
                            "cutout(3, p = 0.5, value = 0.5)", "flip -> shift(1) -> rotate(10) -> cutout(2)"}) {
    Augmentation made(std::string("a = image -> ") + layer);
    auto inputs = made.inputs(picture(), labels(), 3, 4);
    for (const std::string &isa : cnn::testing::hostIsas()) {
      SCOPED_TRACE(std::string(layer) + " on " + isa);
      auto loaded = made.compiled->load(isa);
      made.compiled->expectGroupsToMatch(*loaded, kBatch, inputs);
      made.compiled->expectSameBits(*loaded, inputs, kBatch, /*placeMatters=*/true);
      if (HasFailure())
        return;
    }
  }
}

} // namespace
