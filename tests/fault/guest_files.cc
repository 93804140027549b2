#include "tests/fault/guest_files.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "image/sealer.h"

namespace lethe::fault {
namespace {

constexpr std::size_t kStart = 0x10000;
constexpr std::size_t kWhat = kStart + 0x480;  // how its life ends
constexpr std::size_t kText = kWhat + 2;

Bytes Kernel(char what, absl::string_view text) {
  Bytes image(kStart);
  const absl::Span<const std::uint8_t> code = FaultGuestCode();
  image.insert(image.end(), code.begin(), code.end());
  image[kWhat] = static_cast<std::uint8_t>(what);
  std::copy(text.begin(), text.end(), image.begin() + kText);
  return image;
}

absl::StatusOr<GuestFiles::Lives> Write(const std::string& prefix, const Bytes& first,
                                        const Bytes& second) {
  GuestFiles::Lives lives{prefix + "-first", prefix + "-second"};
  LETHE_RETURN_IF_ERROR(WriteFile(lives.first, first));
  LETHE_RETURN_IF_ERROR(WriteFile(lives.second, second));
  return lives;
}

absl::StatusOr<Bytes> SealFor(const HostKey& key, Bytes kernel) {
  SealRequest request;
  request.kernel = std::move(kernel);
  request.host_keys.push_back(key.key());
  return Seal(request);
}

}  // namespace

absl::StatusOr<GuestFiles> GuestFiles::Make(const std::string& directory, const HostKey& key) {
  const Bytes first = Kernel('r', kFirstText);
  const Bytes second = Kernel('p', kSecondText);
  GuestFiles files;
  LETHE_ASSIGN_OR_RETURN(files.ordinary, Write(directory + "/ordinary", first, second));
  LETHE_ASSIGN_OR_RETURN(const Bytes sealed_first, SealFor(key, first));
  LETHE_ASSIGN_OR_RETURN(const Bytes sealed_second, SealFor(key, second));
  LETHE_ASSIGN_OR_RETURN(files.sealed, Write(directory + "/sealed", sealed_first, sealed_second));
  return files;
}

}  // namespace lethe::fault
