//===- TarTest.cpp - Archives of pictures ---------------------------------===//
//
// Plain and compressed, with each way of writing long names, and everything that may be broken in one.
//
//===----------------------------------------------------------------------===//
#include "DataTest.h"

namespace cnn::host {
namespace {

DatasetOptions options(Split split = Split::Train) { return withFields({imageField({1, 2, 2}), labelField(2)}, split); }

Bytes archive(const std::string &root = "") {
  Bytes tar;
  addToTar(tar, root + "train/", {});
  addToTar(tar, root + "train/cat/", {});
  addToTar(tar, root + "train/cat/b.png", png(2, 2, 1, 10));
  addToTar(tar, root + "train/ant/a.png", png(2, 2, 1, 20));
  addToTar(tar, root + "./test//cat/c.png", png(2, 2, 1, 30));
  addToTar(tar, root + "._hidden.png", {1, 2, 3});
  addToTar(tar, root + "link.png", {}, '2');
  endTar(tar);
  return tar;
}

TEST(TarTest, Reads) {
  TemporaryFolder folder;
  const std::string plain = folder / "data.tar", packed = folder / "data.tar.gz";
  for (const std::string root : {"", "pictures/", "home/me/pictures/"}) {
    put(plain, archive(root));
    put(packed, gzip(archive(root)));
    for (const std::string &path : {plain, packed}) {
      Result<Splits> splits = openSplits(path, options());
      ASSERT_OK(splits);
      EXPECT_EQ(splits->train.size(), 2);
      EXPECT_EQ(splits->train.classNames(), (std::vector<std::string>{"ant", "cat"}));
      EXPECT_EQ(splits->train.sampleName(1), path + ":" + root + "train/cat/b.png");
      EXPECT_EQ(valuesOf<float>(sampleOf(splits->train, 1)[0])[0], 10 / 255.0f);
      ASSERT_TRUE(splits->validation);
      EXPECT_EQ(splits->validation->size(), 1);
      EXPECT_EQ(splits->validation->label(0), 1);
      EXPECT_EQ(valuesOf<float>(sampleOf(*splits->validation, 0)[0])[0], 30 / 255.0f);
    }
  }
}

TEST(TarTest, FoldersAroundEverythingMayHaveEntriesOfTheirOwn) {
  TemporaryFolder folder;
  Bytes tar;
  for (const std::string path : {"sets/", "sets/pets/", "sets/pets/cat/", "sets/pets/ant/"})
    addToTar(tar, path, {});
  addToTar(tar, "sets/pets/cat/b.png", png(2, 2, 1, 10));
  addToTar(tar, "sets/pets/ant/a.png", png(2, 2, 1, 20));
  endTar(tar);
  put(folder / "data.tar", tar);
  Result<Dataset> data = openDataset(folder / "data.tar", options());
  ASSERT_OK(data);
  EXPECT_EQ(data->classNames(), (std::vector<std::string>{"ant", "cat"}));
}

TEST(TarTest, AFolderWithOneArchiveStandsForIt) {
  TemporaryFolder folder;
  put(folder / "data.tgz", gzip(archive()));
  put(folder / "readme.txt", {'x'});
  Result<Dataset> data = openDataset(folder / "", options());
  ASSERT_OK(data);
  EXPECT_EQ(data->size(), 2);
  put(folder / "other.tar", archive());
  EXPECT_EQ(errorOf(openDataset(folder / "", options())), "'" + (folder / "") + "': 2 archives, name one of them");
}

TEST(TarTest, ReadsLongNames) {
  const std::string name = "ant/" + std::string(150, 'n') + ".png";
  Bytes gnu, pax;
  Bytes body(name.begin(), name.end());
  body.push_back(0);
  addToTar(gnu, "././@LongLink", body, 'L');
  addToTar(gnu, "ant/short", png(2, 2, 1, 0));
  std::string record = fmt::format("{} path={}\n", name.size() + 10, name);
  ASSERT_EQ(record.size(), name.size() + 10);
  record += "19 mtime=12345.678\n";
  addToTar(pax, "PaxHeaders/x", Bytes(record.begin(), record.end()), 'x');
  addToTar(pax, "ant/short", png(2, 2, 1, 0));
  TemporaryFolder folder;
  for (Bytes tar : {gnu, pax}) {
    addToTar(tar, "cat/a.png", png(2, 2, 1, 0));
    endTar(tar);
    put(folder / "a.tar", tar);
    Result<Dataset> data = openDataset(folder / "a.tar", options());
    ASSERT_OK(data);
    EXPECT_EQ(data->sampleName(0), (folder / "a.tar:") + name);
  }
}

TEST(TarTest, SaysWhatIsWrong) {
  TemporaryFolder folder;
  const std::string path = folder / "a.tar", packed = folder / "b.tar.gz";
  const Bytes good = archive();
  auto errorWith = [&](const Bytes &bytes) {
    put(path, bytes);
    return errorOf(openDataset(path, options()));
  };
  Bytes bad = good;
  bad.resize(512 * 5 + 100);
  EXPECT_NE(errorWith(bad).find("'" + path + "': the archive is truncated"), std::string::npos);
  bad.resize(512 * 4);
  EXPECT_EQ(errorWith(bad), "'" + path + "': the archive is truncated");
  bad = good;
  bad[512] ^= 1;
  EXPECT_EQ(errorWith(bad), "'" + path + "': not a valid tar archive: a header's checksum is wrong");
  bad.clear();
  addToTar(bad, "x", Bytes(5, 'x'), 'x');
  endTar(bad);
  EXPECT_EQ(errorWith(bad), "'" + path + "': not a valid tar archive: an extended header is malformed");
  bad.clear();
  addToTar(bad, "notes.txt", {'x'});
  endTar(bad);
  EXPECT_NE(errorWith(bad).find("no data set found"), std::string::npos);

  Bytes cut = gzip(good);
  cut.resize(cut.size() / 2);
  put(packed, cut);
  EXPECT_EQ(errorOf(openDataset(packed, options())), "'" + packed + "': the gzip data is truncated");
  put(packed, gzip({1, 2, 3}));
  EXPECT_NE(errorOf(openDataset(packed, options())).find("not a file of data"), std::string::npos);
}

TEST(TarTest, AMemberClaimingGigabytesAllocatesNothing) {
  Bytes tar;
  addToTar(tar, "ant/a.png", {});
  std::memcpy(tar.data() + 124, "77777777777", 11);
  std::memset(tar.data() + 148, ' ', 8);
  const std::string sum = fmt::format("{:06o}", std::accumulate(tar.begin(), tar.begin() + 512, 0u));
  std::memcpy(tar.data() + 148, sum.c_str(), 7);
  endTar(tar);
  TemporaryFolder folder;
  put(folder / "a.tar.gz", gzip(tar));
  EXPECT_EQ(errorOf(openDataset(folder / "a.tar.gz", options())),
            "'" + (folder / "a.tar.gz") + "': the archive is truncated: 'ant/a.png' has 8589934591 bytes");
}

} // namespace
} // namespace cnn::host
