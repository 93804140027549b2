#include "vmm/sclp.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/check.h"

namespace lethe::vmm {
namespace {

// Bits 16-23 of a command word are the validity of a channel path or CPU: not part of its name.
constexpr std::uint32_t kCommandMask = 0xffff00ff;

enum class SclpCommand : std::uint32_t {
  kReadCpuInfo = 0x00010001,
  kReadScpInfo = 0x00020001,
  kReadScpInfoForced = 0x00120001,
  kWriteEventData = 0x00760005,
  kReadEventData = 0x00770005,
  kWriteEventMask = 0x00780005,
};

constexpr std::array kCommands = {
    SclpCommand::kReadCpuInfo,    SclpCommand::kReadScpInfo,   SclpCommand::kReadScpInfoForced,
    SclpCommand::kWriteEventData, SclpCommand::kReadEventData, SclpCommand::kWriteEventMask,
};

constexpr std::uint64_t kFacilityCpuInfo = 0x0800000000000000;
constexpr std::uint8_t kHighestAddressPower = 43;  // addresses below 2^43, see kMaximumMemory
constexpr std::uint8_t kEbcdicBlank = 0x40;

// Response of "read SCP info" as far as we fill it; CPU entries follow.
struct ScpInfo {
  SccbHeader header;
  Be16 increments;                  // 8: number of memory increments, 0: see increments_long
  std::uint8_t increment_size = 0;  // 10: MiB
  std::array<std::uint8_t, 5> reserved11{};
  Be16 cpu_count;   // 16
  Be16 cpu_offset;  // 18
  std::array<std::uint8_t, 4> reserved20{};
  std::array<std::uint8_t, 8> load_parameter{};  // 24: EBCDIC
  std::array<std::uint8_t, 16> reserved32{};
  Be64 facilities;  // 48
  std::array<std::uint8_t, 43> reserved56{};
  std::uint8_t highest_address_power = 0;  // 99
  Be32 increment_size_long;                // 100
  Be64 increments_long;                    // 104
  std::array<std::uint8_t, 8> reserved112{};
  Be16 highest_cpu;  // 120
  std::array<std::uint8_t, 6> reserved122{};
};
static_assert(sizeof(ScpInfo) == 128);
static_assert(offsetof(ScpInfo, facilities) == 48);
static_assert(offsetof(ScpInfo, highest_address_power) == 99);
static_assert(offsetof(ScpInfo, highest_cpu) == 120);

struct CpuInfo {
  SccbHeader header;
  Be16 configured_count;
  Be16 configured_offset;
  Be16 standby_count;
  Be16 standby_offset;
  Be64 reserved;
};
static_assert(sizeof(CpuInfo) == 24);

struct CpuEntry {
  std::uint8_t address = 0;
  std::array<std::uint8_t, 15> features_and_type{};
};
static_assert(sizeof(CpuEntry) == 16);

void StoreCpuEntries(absl::Span<std::uint8_t> to, const std::vector<std::uint8_t>& cpus) {
  for (std::size_t i = 0; i < cpus.size(); ++i) {
    CpuEntry entry;
    entry.address = cpus[i];
    std::memcpy(to.data() + i * sizeof(entry), &entry, sizeof(entry));
  }
}

std::optional<SclpCommand> FindCommand(std::uint32_t word) {
  const auto command = static_cast<SclpCommand>(word & kCommandMask);
  if (std::find(kCommands.begin(), kCommands.end(), command) == kCommands.end())
    return std::nullopt;
  return command;
}

}  // namespace

void SetResponse(absl::Span<std::uint8_t> sccb, SclpResponse response) {
  LETHE_CHECK(sccb.size() >= sizeof(SccbHeader));
  StoreBigEndian(sccb.data() + offsetof(SccbHeader, response_code),
                 static_cast<std::uint16_t>(response));
}

bool Sclp::Serves(std::uint32_t command) { return FindCommand(command).has_value(); }

void Sclp::Execute(std::uint32_t command, absl::Span<std::uint8_t> sccb) {
  LETHE_CHECK(sccb.size() >= sizeof(SccbHeader));
  SetResponse(sccb, Dispatch(command, sccb));
}

SclpResponse Sclp::Dispatch(std::uint32_t command, absl::Span<std::uint8_t> sccb) {
  const std::optional<SclpCommand> known = FindCommand(command);
  if (!known) return SclpResponse::kInvalidCommand;
  switch (*known) {
    case SclpCommand::kReadCpuInfo:
      return ReadCpuInfo(sccb);
    case SclpCommand::kReadScpInfo:
    case SclpCommand::kReadScpInfoForced:
      return ReadScpInfo(sccb);
    case SclpCommand::kWriteEventData:
      return events_.WriteEventData(sccb);
    case SclpCommand::kReadEventData:
      return events_.ReadEventData(sccb);
    case SclpCommand::kWriteEventMask:
      return events_.WriteEventMask(sccb);
  }
  return SclpResponse::kInvalidCommand;
}

SclpResponse Sclp::ReadScpInfo(absl::Span<std::uint8_t> sccb) const {
  const std::vector<std::uint8_t>& cpus = configuration_.cpus;
  if (sccb.size() < sizeof(ScpInfo) + cpus.size() * sizeof(CpuEntry))
    return SclpResponse::kInsufficientLength;
  ScpInfo info;
  std::memcpy(&info.header, sccb.data(), sizeof(info.header));
  const std::uint64_t increments = configuration_.memory_size >> 20;
  if (increments <= 0xffff) info.increments = static_cast<std::uint16_t>(increments);
  info.increments_long = increments;
  info.increment_size = 1;
  info.increment_size_long = 1;
  info.cpu_count = static_cast<std::uint16_t>(cpus.size());
  info.cpu_offset = sizeof(ScpInfo);
  info.load_parameter.fill(kEbcdicBlank);
  info.facilities = kFacilityCpuInfo;
  info.highest_address_power = kHighestAddressPower;
  info.highest_cpu = cpus.back();
  std::memcpy(sccb.data(), &info, sizeof(info));
  StoreCpuEntries(sccb.subspan(sizeof(info)), cpus);
  return SclpResponse::kNormalReadCompletion;
}

SclpResponse Sclp::ReadCpuInfo(absl::Span<std::uint8_t> sccb) const {
  const std::vector<std::uint8_t>& cpus = configuration_.cpus;
  const std::size_t end = sizeof(CpuInfo) + cpus.size() * sizeof(CpuEntry);
  if (sccb.size() < end) return SclpResponse::kInsufficientLength;
  CpuInfo info;
  std::memcpy(&info.header, sccb.data(), sizeof(info.header));
  info.configured_count = static_cast<std::uint16_t>(cpus.size());
  info.configured_offset = sizeof(CpuInfo);
  info.standby_offset = static_cast<std::uint16_t>(end);
  std::memcpy(sccb.data(), &info, sizeof(info));
  StoreCpuEntries(sccb.subspan(sizeof(info)), cpus);
  return SclpResponse::kNormalReadCompletion;
}

}  // namespace lethe::vmm
