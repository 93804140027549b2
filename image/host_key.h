#ifndef LETHE_IMAGE_HOST_KEY_H_
#define LETHE_IMAGE_HOST_KEY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/file.h"
#include "image/cryptography.h"

namespace lethe {

// The private key of one (emulated) host: elliptic curve secp521r1.
class HostKey {
 public:
  // From PEM text. InvalidArgument: not a private key, not secp521r1.
  static absl::StatusOr<HostKey> FromPem(absl::Span<const std::uint8_t> pem);
  static absl::StatusOr<HostKey> Read(const std::string& path);
  static HostKey Generate();

  const EllipticKey& key() const { return key_; }
  // Names the key in a header's key slots (PHKH).
  const Digest256& hash() const { return hash_; }

  Bytes ToPem() const;
  // The host key document for it: a self-signed X.509 certificate, PEM.
  Bytes MakeDocument() const;

 private:
  HostKey(EllipticKey key, Digest256 hash) : key_(std::move(key)), hash_(hash) {}
  EllipticKey key_;
  Digest256 hash_;
};

// The key of the emulated host and its document as files, made when they do not exist yet (mode
// 0600 and 0644): `key_path`, and beside it the document with the extension .crt.
absl::StatusOr<HostKey> OpenOrCreateHostKey(const std::string& key_path);
// $XDG_DATA_HOME/lethe/host.key, or ~/.local/share/lethe/host.key.
absl::StatusOr<std::string> DefaultHostKeyPath();
std::string DocumentPath(const std::string& key_path);

// The public key in a host key document: X.509, PEM or DER, secp521r1. `name` is for messages.
absl::StatusOr<EllipticKey> ParseHostKeyDocument(absl::Span<const std::uint8_t> document,
                                                 const std::string& name);
absl::StatusOr<EllipticKey> ReadHostKeyDocument(const std::string& path);

}  // namespace lethe

#endif  // LETHE_IMAGE_HOST_KEY_H_
