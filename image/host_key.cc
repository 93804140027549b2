#include "image/host_key.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "base/unique_fd.h"

namespace lethe {
namespace {

constexpr std::size_t kFileLimit = 1 << 20;
constexpr long kValidityDays = 3650;

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

Bio ReadFrom(absl::Span<const std::uint8_t> data) {
  // The library takes no null pointer, not even with size 0.
  const void* content = data.empty() ? static_cast<const void*>("") : data.data();
  Bio bio(BIO_new_mem_buf(content, static_cast<int>(data.size())), BIO_free);
  LETHE_CHECK(bio != nullptr);
  return bio;
}

Bio NewBuffer() {
  Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  LETHE_CHECK(bio != nullptr);
  return bio;
}

Bytes ContentOf(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return Bytes(data, data + size);
}

// A key file never asks for a passphrase.
int NoPassphrase(char*, int, int, void*) { return -1; }

absl::StatusOr<bool> Exists(const std::string& path) {
  struct stat found;
  if (stat(path.c_str(), &found) == 0) return true;
  if (errno == ENOENT) return false;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path));
}

void NameAfterUs(X509* certificate) {
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto add = [name](const char* field, const char* value) {
    LETHE_CHECK(X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC,
                                           reinterpret_cast<const unsigned char*>(value), -1, -1,
                                           0) == 1);
  };
  add("O", "Lethe");
  add("CN", "host key document of an emulated host");
  LETHE_CHECK(X509_set_issuer_name(certificate, name) == 1);
}

}  // namespace

absl::StatusOr<HostKey> HostKey::FromPem(absl::Span<const std::uint8_t> pem) {
  const Bio bio = ReadFrom(pem);
  EVP_PKEY* parsed = PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr);
  ERR_clear_error();
  if (parsed == nullptr) {
    return absl::InvalidArgumentError("not a private key in PEM form (without passphrase)");
  }
  LETHE_ASSIGN_OR_RETURN(EllipticKey key, EllipticKey::Adopt(parsed));
  const Digest256 hash = key.Hash();
  return HostKey(std::move(key), hash);
}

absl::StatusOr<HostKey> HostKey::Read(const std::string& path) {
  LETHE_ASSIGN_OR_RETURN(const Bytes pem, ReadFile(path, kFileLimit));
  absl::StatusOr<HostKey> key = FromPem(pem);
  if (!key.ok()) return Annotate(key.status(), path);
  return key;
}

HostKey HostKey::Generate() {
  EllipticKey key = EllipticKey::Generate();
  const Digest256 hash = key.Hash();
  return HostKey(std::move(key), hash);
}

Bytes HostKey::ToPem() const {
  const Bio bio = NewBuffer();
  LETHE_CHECK(
      PEM_write_bio_PrivateKey(bio.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return ContentOf(bio);
}

Bytes HostKey::MakeDocument() const {
  const Certificate certificate(X509_new(), X509_free);
  LETHE_CHECK(certificate != nullptr);
  LETHE_CHECK(X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  LETHE_CHECK(ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1) == 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidityDays * 24 * 60 * 60);
  NameAfterUs(certificate.get());
  LETHE_CHECK(X509_set_pubkey(certificate.get(), key_.get()) == 1);
  LETHE_CHECK(X509_sign(certificate.get(), key_.get(), EVP_sha512()) > 0);
  const Bio bio = NewBuffer();
  LETHE_CHECK(PEM_write_bio_X509(bio.get(), certificate.get()) == 1);
  return ContentOf(bio);
}

std::string DocumentPath(const std::string& key_path) {
  return std::filesystem::path(key_path).replace_extension(".crt").string();
}

absl::StatusOr<std::string> DefaultHostKeyPath() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && data[0] == '/') return absl::StrCat(data, "/lethe/host.key");
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') {
    return absl::StrCat(home, "/.local/share/lethe/host.key");
  }
  return absl::FailedPreconditionError(
      "no place for the host key: neither XDG_DATA_HOME nor HOME names a directory");
}

absl::StatusOr<HostKey> OpenOrCreateHostKey(const std::string& key_path) {
  const std::filesystem::path directory =
      std::filesystem::absolute(key_path).lexically_normal().parent_path();
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot make ", directory.string()));
  }
  // One process at a time, so that key and document belong together.
  const UniqueFd lock(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock || flock(lock.get(), LOCK_EX) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot lock ", directory.string()));
  }
  LETHE_ASSIGN_OR_RETURN(const bool have_key, Exists(key_path));
  LETHE_ASSIGN_OR_RETURN(const bool have_document, Exists(DocumentPath(key_path)));
  absl::StatusOr<HostKey> key = have_key ? HostKey::Read(key_path) : HostKey::Generate();
  if (!key.ok()) return key;
  if (!have_key) LETHE_RETURN_IF_ERROR(WriteFile(key_path, key->ToPem(), 0600));
  if (!have_key || !have_document) {
    LETHE_RETURN_IF_ERROR(WriteFile(DocumentPath(key_path), key->MakeDocument(), 0644));
  }
  return key;
}

absl::StatusOr<EllipticKey> ParseHostKeyDocument(absl::Span<const std::uint8_t> document,
                                                 const std::string& name) {
  Bio bio = ReadFrom(document);
  Certificate certificate(PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr), X509_free);
  if (certificate == nullptr) {
    bio = ReadFrom(document);
    certificate.reset(d2i_X509_bio(bio.get(), nullptr));
  }
  ERR_clear_error();
  if (certificate == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not a host key document (an X.509 certificate in PEM or DER form)"));
  }
  EVP_PKEY* key = X509_get_pubkey(certificate.get());
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": the certificate holds no public key that can be used"));
  }
  absl::StatusOr<EllipticKey> adopted = EllipticKey::Adopt(key);
  if (!adopted.ok()) return Annotate(adopted.status(), name);
  return adopted;
}

absl::StatusOr<EllipticKey> ReadHostKeyDocument(const std::string& path) {
  LETHE_ASSIGN_OR_RETURN(const Bytes document, ReadFile(path, kFileLimit));
  return ParseHostKeyDocument(document, path);
}

}  // namespace lethe
