//===- PicturesTest.cpp - Pictures without labels -------------------------===//
//
// What prediction lists: files, folders and archives; and folders of pictures to train without labels.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/File.h"

#include "DataTest.h"

namespace cnn::host {
namespace {

const DatasetOptions options = withFields({imageField({1, 2, 2}), labelField(10)});

std::vector<std::string> namesOf(const Result<Dataset> &data) {
  EXPECT_OK(data);
  std::vector<std::string> names;
  for (int64_t i = 0; data && i < data->size(); ++i) {
    names.push_back(data->sampleName(i));
    EXPECT_EQ(sampleOf(*data, i).size(), 1u);
  }
  return names;
}

TEST(PicturesTest, ListsFilesAndFolders) {
  TemporaryFolder folder;
  put(folder / "b.png", png(2, 2, 1, 0));
  put(folder / "a.png", png(2, 2, 1, 0));
  put(folder / "more/train/c.png", png(2, 2, 1, 0));
  put(folder / "more/notes.txt", {'x'});
  const std::vector<std::string> all = {folder / "a.png", folder / "b.png", folder / "more/train/c.png"};
  EXPECT_EQ(namesOf(openPictures(std::vector{folder / ""}, options)), all);
  EXPECT_EQ(namesOf(openPictures(std::vector{folder / "b.png"}, options)), std::vector{all[1]});
  EXPECT_EQ(namesOf(openPictures(std::vector{folder / "more", folder / "b.png"}, options)),
            (std::vector{all[2], all[1]}));
}

TEST(PicturesTest, LeavesMasksOut) {
  TemporaryFolder folder;
  put(folder / "images/a.png", png(2, 2, 1, 0));
  put(folder / "masks/a.png", png(2, 2, 1, 0));
  EXPECT_EQ(namesOf(openPictures(std::vector{folder / ""}, options)), std::vector{folder / "images/a.png"});
}

TEST(PicturesTest, AJpegThatBreaksOff) {
  TemporaryFolder folder;
  Result<Bytes> jpeg = readFile(dataPath("images/colour.jpg"));
  ASSERT_OK(jpeg);
  put(folder / "good.jpg", *jpeg);
  jpeg->resize(jpeg->size() * 2 / 3);
  put(folder / "bad.jpg", *jpeg);
  Result<Image> good = readImage(folder / "good.jpg");
  ASSERT_OK(good);
  DatasetOptions fields = withFields({imageField({3, good->height, good->width})});
  Result<Dataset> data = openPictures(std::vector{folder / ""}, fields);
  ASSERT_OK(data);
  EXPECT_EQ(sampleError(*data, 0),
            "'" + (folder / "bad.jpg") + "': cannot decode the JPEG picture: the file is truncated");
  fields.skipBad = true;
  data = openPictures(std::vector{folder / ""}, fields);
  EXPECT_EQ(namesOf(data), std::vector{folder / "good.jpg"});
}

TEST(PicturesTest, TakesDataSetsToo) {
  TemporaryFolder folder;
  put(folder / "t10k-images-idx3-ubyte", idx({3, 2, 2}));
  EXPECT_EQ(namesOf(openPictures(std::vector{folder / ""}, options)).size(), 3u);
}

TEST(PicturesTest, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::string none = folder / "none.png", text = folder / "a.txt";
  EXPECT_EQ(errorOf(openPictures({}, options)), "no pictures given");
  EXPECT_NE(errorOf(openPictures(std::vector{folder / ""}, options)).find("the folder is empty"), std::string::npos);
  EXPECT_EQ(errorOf(openPictures(std::vector{folder / "none"}, options)),
            "cannot read '" + (folder / "none") + "': no such file or folder");
  Result<Dataset> missing = openPictures(std::vector{none}, options);
  ASSERT_OK(missing);
  EXPECT_EQ(sampleError(*missing, 0), "cannot read '" + none + "': no such file or folder");
  put(text, {'x'});
  put(folder / "a.png", png(2, 2, 1, 0));
  EXPECT_EQ(errorOf(openPictures(std::vector{folder / "a.png", text}, options)),
            "'" + text + "': not a picture (.png, .jpg, .jpeg) or a folder of them");
  put(folder / "a.gif", {'G'});
  EXPECT_EQ(errorOf(openPictures(std::vector{folder / ""}, options)),
            "'" + (folder / "a.gif") + "': a picture of a kind that is not read, expected PNG or JPEG");
}

TEST(PicturesTest, TrainWithoutLabels) {
  TemporaryFolder folder;
  put(folder / "a.png", png(2, 2, 1, 0));
  put(folder / "b.png", png(2, 2, 1, 0));
  Result<Dataset> data = openDataset(folder / "", withFields({imageField({1, 2, 2})}));
  ASSERT_OK(data);
  EXPECT_EQ(data->format(), "pictures");
  EXPECT_EQ(data->size(), 2);
  EXPECT_EQ(errorOf(openDataset(folder / "", options)),
            "'" + (folder / "") + "': pictures without labels, expected a folder of them for each class");
  EXPECT_EQ(errorOf(openDataset(folder / "", withFields({imageField({1, 2, 2}), maskField({2, 2}, 2)}))),
            "'" + (folder / "") + "': pictures without masks, expected the folders images/ and masks/");
  TemporaryFolder splits;
  put(splits / "train/a.png", png(2, 2, 1, 0));
  put(splits / "train/b.png", png(2, 2, 1, 0));
  put(splits / "test/a.png", png(2, 2, 1, 0));
  for (const auto &[split, size] : {std::pair(Split::Train, 2), {Split::Test, 1}, {Split::Validation, 1}}) {
    Result<Dataset> part = openDataset(splits / "", withFields({imageField({1, 2, 2})}, split));
    ASSERT_OK(part);
    EXPECT_EQ(part->size(), size);
  }
}

} // namespace
} // namespace cnn::host
