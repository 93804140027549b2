#include "image/host_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "base/status_matchers.h"
#include "image/golden_images.h"

namespace lethe {
namespace {

using ::testing::HasSubstr;

class HostKeyFiles : public ::testing::Test {
 protected:
  HostKeyFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "lethe-key-XXXXXX").string();
    LETHE_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~HostKeyFiles() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(HostKeyFiles, AreMadeOnFirstUseAndKept) {
  const std::string path = (folder_ / "deep" / "host.key").string();
  const absl::StatusOr<HostKey> made = OpenOrCreateHostKey(path);
  ASSERT_THAT(made, IsOk());
  struct stat status;
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600);
  const absl::StatusOr<HostKey> again = OpenOrCreateHostKey(path);
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(made->hash(), again->hash());
  const absl::StatusOr<EllipticKey> document = ReadHostKeyDocument(DocumentPath(path));
  ASSERT_THAT(document, IsOk());
  EXPECT_EQ(document->Hash(), made->hash());
}

TEST_F(HostKeyFiles, DocumentIsMadeAnewForAGivenKey) {
  const std::string path = (folder_ / "own.key").string();
  const HostKey own = HostKey::Generate();
  ASSERT_THAT(WriteFile(path, own.ToPem(), 0600), IsOk());
  ASSERT_THAT(OpenOrCreateHostKey(path), IsOk());
  const absl::StatusOr<EllipticKey> document = ReadHostKeyDocument(DocumentPath(path));
  ASSERT_THAT(document, IsOk());
  EXPECT_EQ(document->Hash(), own.hash());
}

TEST_F(HostKeyFiles, GarbageIsNotOverwritten) {
  const std::string path = (folder_ / "host.key").string();
  ASSERT_THAT(WriteFile(path, Bytes{'x'}, 0600), IsOk());
  EXPECT_THAT(OpenOrCreateHostKey(path), FailsWith(HasSubstr("not a private key")));
  EXPECT_EQ(ReadFile(path, 10)->size(), 1);
}

TEST(HostKey, DocumentsOfTheRealWorldParse) {
  const absl::StatusOr<EllipticKey> key =
      ParseHostKeyDocument(ReadGolden("in/host.crt"), "host.crt");
  ASSERT_THAT(key, IsOk());
  EXPECT_EQ(key->Hash(), ReadGoldenKey("host.key").hash());
}

TEST(HostKey, OtherFilesAreNoDocuments) {
  EXPECT_THAT(ParseHostKeyDocument(ReadGolden("in/host.key"), "k"),
              FailsWith(HasSubstr("k: not a host key document")));
  EXPECT_THAT(ParseHostKeyDocument({}, "empty"), FailsWith(HasSubstr("not a host key document")));
}

}  // namespace
}  // namespace lethe
