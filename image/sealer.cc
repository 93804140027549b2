#include "image/sealer.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "image/boot/stages.h"
#include "image/ipl_parameters.h"

namespace lethe {
namespace {

constexpr std::uint64_t kIplPsw = 0x0008000180011000;  // short PSW, 31-bit mode, stage 3a
constexpr std::uint64_t kPsw64Bit = 0x0000000180000000;
constexpr std::uint64_t kKernelEntry = 0x10000;
constexpr std::uint64_t kFirstHeaderAddress = 0x14000;
constexpr std::size_t kKernelMark = 0x10008;
constexpr char kKernelMarkText[] = "S390EP";
constexpr std::size_t kCommandLineLimitAt = 0x10430;
constexpr std::uint64_t kDefaultCommandLineLimit = 896;

// Numbers of components: the leading 16 bits of their tweak prefixes.
enum class Part : std::uint16_t { kKernel = 40, kInitrd = 50, kCommandLine = 60, kStage3b = 70 };

constexpr std::uint64_t RoundUp(std::uint64_t size) {
  return (size + kImagePageSize - 1) & ~(kImagePageSize - 1);
}

template <typename T>
void Put(Bytes& image, std::uint64_t address, const T& value) {
  LETHE_CHECK(address + sizeof(value) <= image.size());
  std::memcpy(image.data() + address, &value, sizeof(value));
}

absl::Status CheckKernel(const Bytes& kernel) {
  constexpr std::uint8_t kElfMagic[] = {0x7f, 'E', 'L', 'F'};
  if (kernel.size() >= 4 && std::equal(kElfMagic, kElfMagic + 4, kernel.begin())) {
    return absl::InvalidArgumentError(
        "the kernel is an ELF file; a protected image needs the raw kernel image (bzImage)");
  }
  if (kernel.size() < kCommandLineLimitAt + 8 ||
      std::memcmp(kernel.data() + kKernelMark, kKernelMarkText, sizeof(kKernelMarkText) - 1) != 0) {
    return absl::InvalidArgumentError("the kernel is not an s390x Linux image (no S390EP mark)");
  }
  return absl::OkStatus();
}

absl::Status CheckRequest(const SealRequest& request) {
  LETHE_RETURN_IF_ERROR(CheckKernel(request.kernel));
  std::uint64_t limit = LoadBigEndian<std::uint64_t>(request.kernel.data() + kCommandLineLimitAt);
  if (limit == 0) limit = kDefaultCommandLineLimit;
  if (request.command_line.size() + 1 > limit) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the command line has %u characters; this kernel takes %u",
                        request.command_line.size(), limit - 1));
  }
  if (request.host_keys.empty()) {
    return absl::InvalidArgumentError("no host key document: nobody could run the image");
  }
  if (request.host_keys.size() > kKeySlotLimit) {
    return absl::InvalidArgumentError(absl::StrFormat("%u host key documents; a header takes %u",
                                                      request.host_keys.size(), kKeySlotLimit));
  }
  if ((request.plaintext_flags & kDumpAllowed) != 0 &&
      !request.customer_communication_key.has_value()) {
    return absl::InvalidArgumentError(
        "an image that may be dumped needs a customer communication key of its owner");
  }
  return absl::OkStatus();
}

// Builds one image; used once.
class Sealer {
 public:
  explicit Sealer(const SealRequest& request) : request_(request) {
    FillRandom(absl::MakeSpan(header_key_));
    FillRandom(absl::MakeSpan(secrets_.component_key));
    FillRandom(absl::MakeSpan(secrets_.customer_communication_key));
    if (request.customer_communication_key.has_value()) {
      secrets_.customer_communication_key = *request.customer_communication_key;
    }
  }
  ~Sealer() {
    Cleanse(absl::MakeSpan(header_key_));
    Cleanse(absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&secrets_), sizeof(secrets_)));
  }

  Bytes Run() {
    const std::uint64_t header_address =
        std::max(RoundUp(kStage3aAddress + Stage3a().size()), kFirstHeaderAddress);
    parameters_.header_address = header_address;
    parameters_.header_size = sizeof(SecureHeader) + request_.host_keys.size() * sizeof(KeySlot) +
                              sizeof(EncryptedArea) + sizeof(GcmTag);
    image_.resize(RoundUp(header_address + parameters_.header_size));
    PutComponents();
    const std::uint64_t ipl_address = image_.size();
    const Bytes block = MakeIplBlock(parameters_);
    image_.insert(image_.end(), block.begin(), block.end());
    PutStart(ipl_address);
    PutHeader();
    return std::move(image_);
  }

 private:
  void PutComponents() {
    Stage3bArguments arguments{};
    arguments.psw_mask = kPsw64Bit;
    arguments.psw_address = kKernelEntry;
    arguments.kernel = Add(Part::kKernel, request_.kernel);
    if (request_.initrd.has_value()) arguments.initrd = Add(Part::kInitrd, *request_.initrd);
    if (!request_.command_line.empty()) {
      const std::string& line = request_.command_line;
      arguments.command_line =
          Add(Part::kCommandLine, Bytes(line.c_str(), line.c_str() + line.size() + 1));
    }
    Bytes stage(Stage3b().begin(), Stage3b().end());
    Put(stage, stage.size() - sizeof(arguments), arguments);
    secrets_.psw_mask = kPsw64Bit;
    secrets_.psw_address = Add(Part::kStage3b, stage).address;
    secrets_.secret_flags = request_.secret_flags;
  }

  // Appends a component, encrypted, to the image. An empty one takes a page as well.
  Extent Add(Part part, const Bytes& content) {
    std::array<std::uint8_t, 8> prefix;
    FillRandom(absl::MakeSpan(prefix));
    StoreBigEndian(prefix.data(), static_cast<std::uint16_t>(part));
    ImageComponent component;
    component.tweak_prefix = LoadBigEndian<std::uint64_t>(prefix.data());
    component.address = image_.size();
    component.size = std::max(RoundUp(content.size()), kImagePageSize);
    image_.insert(image_.end(), content.begin(), content.end());
    image_.resize(component.address + component.size);
    for (std::uint64_t offset = 0; offset < component.size; offset += kImagePageSize) {
      AddPage({component.tweak_prefix, offset}, component.address + offset);
    }
    parameters_.components.push_back(component);
    return {component.address, content.size()};
  }

  void AddPage(const PageTweak& tweak, std::uint64_t address) {
    const auto page = absl::MakeSpan(image_).subspan(address, kImagePageSize);
    if ((request_.plaintext_flags & kComponentsNotEncrypted) == 0) {
      LETHE_CHECK(AesXts(secrets_.component_key).Encrypt(tweak, page, page));
    }
    const Be64 address_bytes(address);
    page_digest_.Update(page);
    address_digest_.Update(AsBytes(address_bytes));
    tweak_digest_.Update(AsBytes(tweak));
    ++pages_;
  }

  template <typename T>
  static ByteSpan AsBytes(const T& value) {
    return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)};
  }

  // What runs, and is read by tools, before the guest is protected.
  void PutStart(std::uint64_t ipl_address) {
    Put(image_, 0, Be64(kIplPsw));
    Put(image_, ImageMetadata::kAddress,
        ImageMetadata{ImageMetadata::kMagic, parameters_.header_address, 1, ipl_address});
    const absl::Span<const std::uint8_t> stage = Stage3a();
    std::copy(stage.begin(), stage.end(), image_.begin() + kStage3aAddress);
    const std::uint64_t arguments = kStage3aAddress + stage.size() - sizeof(Stage3aArguments);
    Put(image_, arguments,
        Stage3aArguments{parameters_.header_address - arguments, parameters_.header_size,
                         ipl_address - arguments});
  }

  void PutHeader() {
    const EllipticKey customer = EllipticKey::Generate();
    SecureHeader header{};
    header.magic = kSecureHeaderMagic;
    header.version = kSecureHeaderVersion;
    header.size = static_cast<std::uint32_t>(parameters_.header_size);
    FillRandom(absl::MakeSpan(header.iv));
    header.key_slots = request_.host_keys.size();
    header.encrypted_size = sizeof(EncryptedArea);
    header.pages = pages_;
    header.plaintext_flags = request_.plaintext_flags;
    header.customer_key = customer.point();
    header.page_digest = page_digest_.Value();
    header.address_digest = address_digest_.Value();
    header.tweak_digest = tweak_digest_.Value();
    std::uint64_t next = parameters_.header_address;
    Put(image_, next, header);
    next += sizeof(header);
    for (const EllipticKey& host : request_.host_keys) {
      Put(image_, next, MakeSlot(customer, host));
      next += sizeof(KeySlot);
    }
    const auto covered =
        ByteSpan(image_).subspan(parameters_.header_address, next - parameters_.header_address);
    EncryptedArea sealed;
    const GcmTag tag =
        AesGcm(header_key_)
            .Encrypt(header.iv, covered, AsBytes(secrets_),
                     absl::MakeSpan(reinterpret_cast<std::uint8_t*>(&sealed), sizeof(sealed)));
    Put(image_, next, sealed);
    Put(image_, next + sizeof(sealed), tag);
  }

  KeySlot MakeSlot(const EllipticKey& customer, const EllipticKey& host) const {
    absl::StatusOr<AesKey> wrapping_key = DeriveWrappingKey(customer, host);
    LETHE_CHECK(wrapping_key.ok());  // both are on the curve by construction
    KeySlot slot;
    slot.host_key = host.Hash();
    slot.tag =
        AesGcm(*wrapping_key).Encrypt(GcmIv{}, {}, header_key_, absl::MakeSpan(slot.wrapped_key));
    Cleanse(absl::MakeSpan(*wrapping_key));
    return slot;
  }

  const SealRequest& request_;
  Bytes image_;
  IplParameters parameters_;
  AesKey header_key_;
  EncryptedArea secrets_{};
  RunningSha512 page_digest_;
  RunningSha512 address_digest_;
  RunningSha512 tweak_digest_;
  std::uint64_t pages_ = 0;
};

}  // namespace

absl::StatusOr<Bytes> Seal(const SealRequest& request) {
  LETHE_RETURN_IF_ERROR(CheckRequest(request));
  return Sealer(request).Run();
}

}  // namespace lethe
