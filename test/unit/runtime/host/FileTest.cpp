//===- FileTest.cpp - Files: whole, mapped, atomic ------------------------===//
//
// What is read is what was written, what fails names the file and the reason, and nothing half-written stays.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/File.h"

#include "HostTest.h"

#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace cnn::host {
namespace {

namespace fs = std::filesystem;

std::string textOf(const std::string &path) {
  Result<std::vector<uint8_t>> bytes = readFile(path);
  EXPECT_OK(bytes);
  return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

TEST(InQuotesTest, MakesHostileTextHarmless) {
  EXPECT_EQ(inQuotes("conv1.weight"), "'conv1.weight'");
  EXPECT_EQ(inQuotes("a\nb\x1b[2J\x7f"), "'a\\x0ab\\x1b[2J\\x7f'");
  EXPECT_EQ(inQuotes("\xc2\x9b"), "'\\xc2\\x9b'");
  EXPECT_EQ(inQuotes("caf\xc3\xa9 \xff"), "'caf\xc3\xa9 \\xff'");
  EXPECT_EQ(inQuotes(std::string(500, 'a')), "'" + std::string(120, 'a') + "...'");
}

TEST(FileTest, ReadsWhatWasWritten) {
  TemporaryFolder folder;
  for (size_t size : {0, 1, 65535, 65536, 300000}) {
    const std::string text(size, 'x');
    ASSERT_OK(writeFile(folder / "file", text));
    EXPECT_EQ(textOf(folder / "file"), text);
    Result<MappedFile> mapped = MappedFile::open(folder / "file");
    ASSERT_OK(mapped);
    EXPECT_EQ(std::string(mapped->bytes().begin(), mapped->bytes().end()), text);
  }
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(FileTest, MappingsMove) {
  TemporaryFolder folder;
  ASSERT_OK(writeFile(folder / "a", std::string_view("first")));
  ASSERT_OK(writeFile(folder / "b", std::string_view("second")));
  Result<MappedFile> a = MappedFile::open(folder / "a"), b = MappedFile::open(folder / "b");
  ASSERT_OK(a);
  ASSERT_OK(b);
  MappedFile moved = std::move(*a);
  moved = std::move(*b);
  EXPECT_EQ(std::string(moved.bytes().begin(), moved.bytes().end()), "second");
}

TEST(FileTest, ReadsPipesAndFilesOfUnknownSize) {
  TemporaryFolder folder;
  ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
  if (fork() == 0) {
    std::ofstream(folder / "pipe") << "through a pipe";
    _exit(0);
  }
  Result<MappedFile> mapped = MappedFile::open(folder / "pipe");
  ASSERT_OK(mapped);
  EXPECT_EQ(std::string(mapped->bytes().begin(), mapped->bytes().end()), "through a pipe");
  EXPECT_FALSE(textOf("/proc/self/stat").empty());
}

TEST(FileTest, SaysWhyItCannotRead) {
  TemporaryFolder folder;
  EXPECT_EQ(errorOf(readFile("/no/such/file")), "cannot read '/no/such/file': no such file or folder");
  EXPECT_EQ(errorOf(MappedFile::open("/no/such/file")), "cannot read '/no/such/file': no such file or folder");
  EXPECT_EQ(errorOf(readFile("/usr")), "cannot read '/usr': it is a folder");
  EXPECT_EQ(errorOf(MappedFile::open("/usr")), "cannot read '/usr': it is a folder");
  EXPECT_EQ(errorOf(readFile("/dev/null/x")), "cannot read '/dev/null/x': a part of the path is no folder");
  EXPECT_EQ(errorOf(readFile("")), "cannot read '': the name is empty");
  EXPECT_EQ(errorOf(readFile(std::string("a\0b", 3))), "cannot read 'a\\x00b': the name holds a zero byte");
  EXPECT_NE(errorOf(readFile(std::string(5000, 'n'))).find("the name is too long"), std::string::npos);
  ASSERT_OK(writeFile(folder / "eleven", std::string_view("eleven byte")));
  EXPECT_EQ(errorOf(readFile(folder / "eleven", 10)),
            "cannot read '" + (folder / "eleven") + "': it has more than 10 bytes");
  EXPECT_OK(readFile(folder / "eleven", 11));
  EXPECT_NE(errorOf(readFile("/dev/zero", 1 << 20)).find("more than 1048576 bytes"), std::string::npos);
}

/// Root may read and write everything; within this scope it is nobody.
class WithoutPrivileges {
public:
  WithoutPrivileges() : before(geteuid()) { EXPECT_EQ(seteuid(before == 0 ? 65534 : before), 0); }
  WithoutPrivileges(const WithoutPrivileges &) = delete;
  WithoutPrivileges &operator=(const WithoutPrivileges &) = delete;
  ~WithoutPrivileges() { EXPECT_EQ(seteuid(before), 0); }

private:
  uid_t before;
};

TEST(FileTest, SaysWhyItIsNotPermitted) {
  TemporaryFolder folder;
  const std::string secret = folder / "secret", closed = folder / "closed";
  ASSERT_OK(writeFile(secret, std::string_view("x")));
  fs::create_directory(closed);
  ASSERT_EQ(chmod(secret.c_str(), 0), 0);
  ASSERT_EQ(chmod(closed.c_str(), 0555), 0);
  ASSERT_EQ(chmod((folder / ".").c_str(), 0755), 0);
  WithoutPrivileges scope;
  EXPECT_EQ(errorOf(readFile(secret)), "cannot read '" + secret + "': permission denied");
  EXPECT_EQ(errorOf(writeFile(secret, std::string_view("y"))), "cannot write '" + secret + "': permission denied");
  EXPECT_EQ(errorOf(writeFile(closed + "/file", std::string_view("y"))),
            "cannot write '" + closed + "/file': permission denied");
}

TEST(AtomicFileTest, LeavesTheTargetUntilTheCommit) {
  TemporaryFolder folder;
  ASSERT_OK(writeFile(folder / "file", std::string_view("old")));
  {
    Result<AtomicFile> file = AtomicFile::create(folder / "file");
    ASSERT_OK(file);
    ASSERT_OK(file->write("new"));
    EXPECT_EQ(textOf(folder / "file"), "old");
    AtomicFile moved = std::move(*file);
    ASSERT_OK(moved.write("er"));
    ASSERT_OK(moved.commit());
    EXPECT_EQ(textOf(folder / "file"), "newer");
  }
  {
    Result<AtomicFile> abandoned = AtomicFile::create(folder / "file");
    ASSERT_OK(abandoned);
    ASSERT_OK(abandoned->write("half"));
    // Another name is there only where the file system knows no files without one.
    EXPECT_EQ(textOf(folder / "file"), "newer");
    EXPECT_LE(folder.entries(), 2u);
  }
  EXPECT_EQ(textOf(folder / "file"), "newer");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFileTest, KeepsPermissionsAndLinks) {
  TemporaryFolder folder;
  ASSERT_OK(writeFile(folder / "target", std::string_view("old")));
  ASSERT_EQ(chmod((folder / "target").c_str(), 0640), 0);
  fs::create_symlink("target", folder / "link");
  ASSERT_OK(writeFile(folder / "link", std::string_view("new")));
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(textOf(folder / "target"), "new");
  struct stat status;
  ASSERT_EQ(stat((folder / "target").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(AtomicFileTest, SaysWhyItCannotWrite) {
  TemporaryFolder folder;
  const std::string_view text = "text";
  EXPECT_EQ(errorOf(writeFile("/no/such/file", text)),
            "cannot write '/no/such/file': the folder '/no/such' does not exist");
  EXPECT_EQ(errorOf(writeFile("/usr", text)), "cannot write '/usr': it is a folder");
  EXPECT_EQ(errorOf(writeFile("", text)), "cannot write '': the name is empty");
  ASSERT_OK(writeFile(folder / "file", text));
  EXPECT_EQ(errorOf(writeFile(folder / "file/below", text)),
            "cannot write '" + (folder / "file/below") + "': a part of the path is no folder");
  EXPECT_EQ(folder.entries(), 1u);
}

TEST(AtomicFileTest, WritesDevicesDirectly) {
  EXPECT_OK(writeFile("/dev/null", std::string_view("gone")));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_EQ(errorOf(writeFile("/dev/full", std::string_view("x"))), "cannot write '/dev/full': the disk is full");
}

} // namespace
} // namespace cnn::host
