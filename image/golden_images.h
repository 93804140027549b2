#ifndef LETHE_IMAGE_GOLDEN_IMAGES_H_
#define LETHE_IMAGE_GOLDEN_IMAGES_H_

#include <cstdlib>
#include <string>

#include "base/check.h"
#include "base/file.h"
#include "image/host_key.h"
#include "image/image_reader.h"

// For tests: the images of tests/golden, whose folder the build names in LETHE_GOLDEN.
namespace lethe {

inline Bytes ReadGolden(const std::string& name) {
  const char* folder = std::getenv("LETHE_GOLDEN");
  LETHE_CHECK(folder != nullptr);
  absl::StatusOr<Bytes> content = ReadFile(std::string(folder) + "/" + name, 1 << 20);
  LETHE_CHECK(content.ok());
  return *std::move(content);
}

inline ProtectedImage ReadGoldenImage(const std::string& name) {
  absl::StatusOr<ProtectedImage> image = ReadImage(ReadGolden(name));
  LETHE_CHECK(image.ok());
  return *std::move(image);
}

inline HostKey ReadGoldenKey(const std::string& name) {
  absl::StatusOr<HostKey> key = HostKey::FromPem(ReadGolden("in/" + name));
  LETHE_CHECK(key.ok());
  return *std::move(key);
}

}  // namespace lethe

#endif  // LETHE_IMAGE_GOLDEN_IMAGES_H_
