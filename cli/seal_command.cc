#include <cstddef>

#include "base/file.h"
#include "base/status_macros.h"
#include "cli/commands.h"
#include "image/host_key.h"
#include "image/sealer.h"

namespace lethe {
namespace {

constexpr std::size_t kLargestPart = std::size_t{2} << 30;  // what the boot loader can place

absl::StatusOr<std::vector<EllipticKey>> HostKeys(const std::vector<std::string>& documents) {
  std::vector<EllipticKey> keys;
  for (const std::string& path : documents) {
    LETHE_ASSIGN_OR_RETURN(EllipticKey key, ReadHostKeyDocument(path));
    keys.push_back(std::move(key));
  }
  if (!keys.empty()) return keys;
  LETHE_ASSIGN_OR_RETURN(const std::string own, DefaultHostKeyPath());
  LETHE_RETURN_IF_ERROR(OpenOrCreateHostKey(own).status());
  LETHE_ASSIGN_OR_RETURN(EllipticKey key, ReadHostKeyDocument(DocumentPath(own)));
  keys.push_back(std::move(key));
  return keys;
}

}  // namespace

absl::StatusOr<ExitStatus> SealImage(const SealOptions& options) {
  SealRequest request;
  LETHE_ASSIGN_OR_RETURN(request.kernel, ReadFile(options.kernel, kLargestPart));
  if (!options.initrd.empty()) {
    LETHE_ASSIGN_OR_RETURN(request.initrd, ReadFile(options.initrd, kLargestPart));
  }
  request.command_line = options.append;
  LETHE_ASSIGN_OR_RETURN(request.host_keys, HostKeys(options.host_key_documents));
  const absl::StatusOr<Bytes> image = Seal(request);
  if (!image.ok())
    return Annotate(image.status(), absl::StrCat("cannot seal '", options.kernel, "'"));
  LETHE_RETURN_IF_ERROR(WriteFile(options.output, *image));
  return ExitStatus::kPoweredOff;
}

}  // namespace lethe
