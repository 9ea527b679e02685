//===- ClassFoldersTest.cpp - A folder of pictures for each class ---------===//
//
// Classes by name, splits by folder, and what may be wrong with either, on disk and in archives.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

#include <sys/stat.h>
#include <unistd.h>

namespace cnn::host {
namespace {

DatasetOptions options(int64_t classes, Split split = Split::Train) {
  return withFields({imageField({1, 2, 2}), labelField(classes)}, split);
}

TEST(ClassFoldersTest, Reads) {
  TemporaryFolder folder;
  put(folder / "cat/b.png", png(2, 2, 1, 10));
  put(folder / "cat/a.PNG", png(2, 2, 1, 20));
  put(folder / "ant/deep/er/c.png", png(2, 2, 1, 30));
  put(folder / "ant/.hidden.png", {});
  put(folder / "cat/notes.txt", {'x'});
  Result<Dataset> data = openDataset(folder / "", options(2));
  ASSERT_OK(data);
  EXPECT_EQ(data->format(), "folders of classes");
  EXPECT_EQ(data->classNames(), (std::vector<std::string>{"ant", "cat"}));
  EXPECT_EQ(data->classCounts(), (std::vector<int64_t>{1, 2}));
  ASSERT_EQ(data->size(), 3);
  EXPECT_EQ(data->sampleName(0), folder / "ant/deep/er/c.png");
  EXPECT_EQ(data->sampleName(1), folder / "cat/a.PNG");
  // Twice: decoded, and from memory.
  for (int round = 0; round < 2; ++round)
    EXPECT_EQ(valuesOf<float>(sampleOf(*data, 2)[0]),
              (std::vector<float>{10 / 255.f, 11 / 255.f, 12 / 255.f, 13 / 255.f}));
}

TEST(ClassFoldersTest, SortsNumbersByValue) {
  TemporaryFolder folder;
  for (const char *name : {"10", "9", "2"})
    put(folder / name + "/a.png", png(2, 2, 1, 0));
  Result<Dataset> data = openDataset(folder / "", options(3));
  ASSERT_OK(data);
  EXPECT_EQ(data->classNames(), (std::vector<std::string>{"2", "9", "10"}));
}

TEST(ClassFoldersTest, AnIndexMeansTheSameInEverySplit) {
  TemporaryFolder folder;
  put(folder / "train/ant/a.png", png(2, 2, 1, 0));
  put(folder / "train/cat/a.png", png(2, 2, 1, 0));
  put(folder / "test/cat/a.png", png(2, 2, 1, 0));
  put(folder / "docs/readme.txt", {'x'});
  Result<Dataset> test = openDataset(folder / "", options(2, Split::Test));
  ASSERT_OK(test);
  EXPECT_EQ(test->size(), 1);
  EXPECT_EQ(test->label(0), 1);
  DatasetOptions given = options(3, Split::Test);
  given.classNames = {"dog", "cat", "ant"};
  test = openDataset(folder / "", given);
  ASSERT_OK(test);
  EXPECT_EQ(test->classNames(), given.classNames);
  EXPECT_EQ(test->label(0), 1);
  EXPECT_EQ(valuesOf<int32_t>(sampleOf(*openDataset(folder / "train", given), 0)[1]), std::vector<int32_t>{2});
  given.classNames = {"dog", "bird", "ant"};
  EXPECT_EQ(errorOf(openDataset(folder / "", given)),
            "'" + (folder / "") + "': the class 'cat' is none of the network's: 'dog', 'bird', 'ant'");
}

TEST(ClassFoldersTest, AClassMayBeCalledTrain) {
  TemporaryFolder folder;
  for (const char *name : {"bus", "car", "train"})
    put(folder / name + "/a.png", png(2, 2, 1, 0));
  Result<Dataset> data = openDataset(folder / "", options(3));
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 3);
  EXPECT_EQ(data->label(2), 2);
}

TEST(ClassFoldersTest, LabelsAreKnownWhereNobodyAsks) {
  TemporaryFolder folder;
  put(folder / "ant/a.png", png(2, 2, 1, 0));
  put(folder / "cat/a.png", png(2, 2, 1, 0));
  Result<Dataset> data = openDataset(folder / "", withFields({imageField({1, 2, 2})}));
  ASSERT_OK(data);
  EXPECT_EQ(data->label(1), 1);
}

TEST(ClassFoldersTest, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::string root = folder / "";
  EXPECT_EQ(errorOf(openDataset(root, options(2))), "'" + root + "': the folder is empty");
  EXPECT_EQ(errorOf(openDataset(folder / "none", options(2))),
            "cannot read '" + (folder / "none") + "': no such file or folder");
  put(folder / "notes.txt", {'x'});
  EXPECT_NE(errorOf(openDataset(root, options(2))).find("': no data set found: expected IDX files"), std::string::npos);
  EXPECT_NE(errorOf(openDataset(folder / "notes.txt", options(2))).find("not a file of data"), std::string::npos);
  std::filesystem::create_directories(folder / "ant");
  put(folder / "cat/a.png", png(2, 2, 1, 0));
  EXPECT_EQ(errorOf(openDataset(root, options(2))),
            "'" + (folder / "ant") + "': no PNG or JPEG picture in this folder of a class");
  put(folder / "ant/a.bmp", {'B', 'M'});
  put(folder / "ant/a.png", png(2, 2, 1, 0));
  EXPECT_EQ(errorOf(openDataset(root, options(2))),
            "'" + (folder / "ant/a.bmp") + "': a picture of a kind that is not read, expected PNG or JPEG");
  std::filesystem::remove(folder / "ant/a.bmp");
  EXPECT_EQ(errorOf(openDataset(root, options(10))),
            "'" + root + "': 2 classes ('ant', 'cat'), but input 'label' has 10");
  put(folder / "stray.png", png(2, 2, 1, 0));
  EXPECT_EQ(errorOf(openDataset(root, options(2))),
            "'" + (folder / "stray.png") + "': a picture beside the folders of classes, of no class");
}

TEST(ClassFoldersTest, UnreadableFolder) {
  TemporaryFolder folder;
  put(folder / "ant/a.png", png(2, 2, 1, 0));
  put(folder / "cat/a.png", png(2, 2, 1, 0));
  ASSERT_EQ(chmod((folder / ".").c_str(), 0755), 0);
  ASSERT_EQ(chmod((folder / "cat").c_str(), 0), 0);
  const uid_t before = geteuid(); // root may read everything
  ASSERT_EQ(seteuid(before == 0 ? 65534 : before), 0);
  const std::string error = errorOf(openDataset(folder / "", options(2)));
  ASSERT_EQ(seteuid(before), 0);
  EXPECT_EQ(error, "cannot read the folder '" + (folder / "cat") + "': permission denied");
  ASSERT_EQ(chmod((folder / "cat").c_str(), 0755), 0);
}

TEST(ClassFoldersTest, OneBadPictureAmongMany) {
  TemporaryFolder folder;
  for (int i = 0; i < 20; ++i)
    put(folder / fmt::format("{}/{:02}.png", i % 2 ? "ant" : "cat", i), png(2, 2, 1, i));
  const std::string bad = folder / "ant/07.png", big = folder / "cat/08.png", grey = folder / "cat/10.png";
  Bytes truncated = png(2, 2, 1, 7);
  truncated.resize(40);
  put(bad, truncated);
  Result<Dataset> data = openDataset(folder / "", options(2));
  ASSERT_OK(data);
  EXPECT_EQ(sampleError(*data, 3).substr(0, bad.size() + 33), "'" + bad + "': cannot decode the PNG picture");
  put(big, png(3, 2, 1, 8));
  EXPECT_EQ(sampleError(*data, 14),
            "'" + big +
                "': a picture of 1x3x2 (channels x height x width), but input 'image' takes 1x2x2; resize or crop in "
                "its preprocess block would fit it");
  put(grey, png(2, 2, 3, 8));
  EXPECT_EQ(sampleError(*data, 15),
            "'" + grey +
                "': a picture of 3x2x2 (channels x height x width), but input 'image' takes 1x2x2; channels in its "
                "preprocess block would fit it");

  DatasetOptions skipping = options(2);
  skipping.skipBad = true;
  std::vector<std::string> names;
  for (unsigned threads : {1, 4}) {
    skipping.threads = threads;
    Result<Dataset> kept = openDataset(folder / "", skipping);
    ASSERT_OK(kept);
    EXPECT_EQ(kept->size(), 17);
    ASSERT_EQ(kept->skipped().size(), 3u);
    EXPECT_EQ(kept->skipped()[0].substr(0, bad.size() + 2), "'" + bad + "'");
    std::vector<std::string> these;
    for (int64_t i = 0; i < kept->size(); ++i) {
      these.push_back(kept->sampleName(i));
      sampleOf(*kept, i);
    }
    if (threads == 1)
      names = these;
    EXPECT_EQ(names, these);
  }
  EXPECT_EQ(std::find(names.begin(), names.end(), bad), names.end());
}

TEST(ClassFoldersTest, NothingGoodToKeep) {
  TemporaryFolder folder;
  put(folder / "ant/a.png", {'x'});
  put(folder / "cat/a.png", {'x'});
  DatasetOptions skipping = options(2);
  skipping.skipBad = true;
  EXPECT_EQ(errorOf(openDataset(folder / "", skipping)),
            "'" + (folder / "") + "': all 2 samples are bad; the first: '" + (folder / "ant/a.png") +
                "': neither a PNG nor a JPEG picture");
}

} // namespace
} // namespace cnn::host
