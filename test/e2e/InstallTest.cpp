// The tool as it is installed and packaged.
#include "test/e2e/Shell.h"

#include <gmock/gmock.h>

#include <cstdlib>

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

namespace {

class Installed : public Shell {};

TEST_F(Installed, TheInstalledToolRuns) {
  run("cmake --install " CNN_BINARY_DIR " --prefix $PWD/usr");
  EXPECT_THAT(run("usr/bin/cnnc summary usr/share/cnnc/examples/lenet5.cnn"), HasSubstr("lenet5"));
  EXPECT_THAT(run("ls usr usr/bin usr/share usr/share/doc/cnnc"),
              AllOf(HasSubstr("copyright"), HasSubstr("README.md"), Not(HasSubstr("lib")), Not(HasSubstr("test"))));
}

TEST_F(Installed, TheDebianPackageHasItsDependencies) {
  if (std::system("command -v dpkg-shlibdeps >/dev/null && command -v file >/dev/null") != 0)
    GTEST_SKIP() << "SKIP dpkg-dev or file is not installed";
  run("cpack --config " CNN_BINARY_DIR "/CPackConfig.cmake -B $PWD -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip");
  EXPECT_THAT(run("dpkg-deb --info cnnc_*_amd64.deb"), AllOf(HasSubstr("Package: cnnc"), HasSubstr("libc6 (>="),
                                                             HasSubstr("libpng16-16"), HasSubstr("libfmt9")));
  EXPECT_THAT(run("dpkg-deb --contents cnnc_*_amd64.deb"),
              AllOf(HasSubstr("./usr/bin/cnnc\n"), HasSubstr("./usr/share/cnnc/examples/resnet50.cnn")));
}

} // namespace
