#include "emulated-host/cpu/property_machine.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "emulated-host/cpu/cpu_group.h"

namespace lethe::emulated {
namespace {

constexpr std::uint64_t kTables = 0x40000;
constexpr std::uint64_t kTableBytes = 0x4000;  // a page table needs less
constexpr std::uint64_t kInvalid = 0x20;
constexpr std::uint64_t kInvalidPage = 0x400;
constexpr int kRegionFirst = 4;
constexpr std::uint64_t kPrefixArea = 2 * kPageSize;
constexpr std::uint8_t kChanged = 0x02;
constexpr std::uint8_t kReferenced = 0x04;
constexpr std::uint64_t kSupervisorCallOld = 0x140;
constexpr std::uint64_t kProgramOld = 0x150;

// The index of an address in the table of a level, in bytes.
std::uint64_t Offset(int level, std::uint64_t address) {
  if (level == 0) return (address >> 12 & 0xff) * 8;
  return (address >> (20 + 11 * (level - 1)) & 0x7ff) * 8;
}

std::uint64_t TypeBits(int level) {  // of an entry in a table of this level
  return static_cast<std::uint64_t>(level - 1) << 2 | (level > 1 ? 3 : 0);
}

}  // namespace

std::string Difference(const MachineState& a, const MachineState& b) {
  std::string text;
  const auto add = [&text](const std::string& what, std::uint64_t x, std::uint64_t y) {
    if (x == y || text.size() > 400) return;
    char line[96];
    std::snprintf(line, sizeof(line), " %s %llx/%llx", what.c_str(),
                  static_cast<unsigned long long>(x), static_cast<unsigned long long>(y));
    text += line;
  };
  for (int i = 0; i < 16; ++i) {
    const std::string number = std::to_string(i);
    add("r" + number, a.general[i], b.general[i]);
    add("a" + number, a.access[i], b.access[i]);
    add("f" + number, a.floating_point[i], b.floating_point[i]);
    add("c" + number, a.control[i], b.control[i]);
  }
  add("fpc", a.floating_point_control, b.floating_point_control);
  add("prefix", a.prefix, b.prefix);
  add("tod programmable", a.tod_programmable, b.tod_programmable);
  add("program parameter", a.program_parameter, b.program_parameter);
  const auto add_bytes = [&](const char* what, const std::vector<std::uint8_t>& x,
                             const std::vector<std::uint8_t>& y) {
    add(std::string("size of ") + what, x.size(), y.size());
    for (std::size_t i = 0; i < std::min(x.size(), y.size()) && text.size() < 300; ++i) {
      char name[40];
      std::snprintf(name, sizeof(name), "%s+%zx", what, i);
      if (x[i] != y[i]) add(name, x[i], y[i]);
    }
  };
  add_bytes("frames", a.frames, b.frames);
  add_bytes("keys", a.keys, b.keys);
  add_bytes("others", a.others, b.others);
  return text;
}

PropertyMachine::PropertyMachine() : machine_(kStorage), image_(kStorage) {
  machine_.WaitOnInterruptions();
  constexpr std::uint64_t kSecondarySpace = Psw::Bit(37);
  constexpr std::uint64_t kFloatRegisters = Psw::Bit(45);
  control_ = cpu().registers().control;
  control_[0] |= kSecondarySpace | kFloatRegisters;
  control_[3] = 0xffff'0000;  // PSW-key mask
  // ASN translation, with its tables and those of access registers where the operands are.
  control_[14] |= Psw::Bit(44) | kFrames / kPageSize;
  control_[2] = kFrames + kPageSize;
  control_[5] = kFrames + 2 * kPageSize;
  BuildTables();
  std::memcpy(image_.data(), machine_.bytes(0), kStorage);
}

std::uint64_t PropertyMachine::NewTable() {
  const std::uint64_t table = next_table_;
  next_table_ += kTableBytes;
  LETHE_CHECK(machine_.bytes(next_table_) <= EndOfStorage());
  return table;
}

void PropertyMachine::BuildTables() {
  std::memset(machine_.bytes(kTables), 0, kStorage - kTables);
  next_table_ = kTables;
  root_ = NewTable();
  for (std::uint64_t i = 0; i < kTableBytes; i += 8) {
    machine_.Set<std::uint64_t>(root_ + i, kInvalid | TypeBits(kRegionFirst));
  }
  for (const std::uint64_t at : {kProgram, kCrossing - kPageSize, kCrossing, kTarget}) Map(at, at);
  for (const int number : {1, 7, 13}) control_[number] = root_ | 0xf;  // region-first table, whole
}

void PropertyMachine::Map(std::uint64_t address, std::uint64_t frame) {
  std::uint64_t table = root_;
  for (int level = kRegionFirst; level > 0; --level) {
    const std::uint64_t at = table + Offset(level, address);
    if ((Entry(at) & kInvalid) != 0) {
      const std::uint64_t next = NewTable();
      for (std::uint64_t i = 0; i < (level == 1 ? 0x800 : kTableBytes); i += 8) {
        machine_.Set<std::uint64_t>(next + i,
                                    level == 1 ? kInvalidPage : kInvalid | TypeBits(level - 1));
      }
      machine_.Set<std::uint64_t>(at, next | TypeBits(level));
    }
    table = Entry(at) & ~std::uint64_t{level == 1 ? 0x7ffu : 0xfffu};
  }
  machine_.Set<std::uint64_t>(table + Offset(0, address), frame);
}

std::uint64_t PropertyMachine::EntryOf(int level, std::uint64_t address) const {
  std::uint64_t table = root_;
  for (int i = kRegionFirst; i > level; --i) {
    const std::uint64_t entry = LoadBigEndian<std::uint64_t>(&image_[table + Offset(i, address)]);
    table = entry & ~std::uint64_t{i == 1 ? 0x7ffu : 0xfffu};
  }
  return table + Offset(level, address);
}

void PropertyMachine::SetEntry(std::uint64_t at, std::uint64_t value) {
  machine_.Set<std::uint64_t>(at, value);
  cpu().ContextChanged();
}

void PropertyMachine::SetKey(std::uint64_t absolute, std::uint8_t key) {
  machine_.key(absolute) = key;
  cpu().ContextChanged();
}

void PropertyMachine::SetWindow(const Window& window) {
  window_ = window;
  std::memcpy(machine_.bytes(0), image_.data(), kTables);
  BuildTables();
  for (int i = 0; i < kLowPages; ++i) Map(i * kPageSize, FrameOf(kWindowPages + i));
  for (int i = 0; i < kWindowPages; ++i) Map(WindowPage(i), FrameOf(i));
  std::memcpy(&image_[kTables], machine_.bytes(kTables), kStorage - kTables);
  cpu().ContextChanged();
}

std::uint64_t PropertyMachine::WindowPage(int number) const {
  std::uint64_t mask = ~std::uint64_t{0};
  if (window_.mode != (Psw::kExtendedAddressing | Psw::kBasicAddressing)) {
    mask = window_.mode == 0 ? 0xff'ffff : 0x7fff'ffff;
  }
  return (window_.middle + (number - kWindowPages / 2) * kPageSize) & mask;
}

void PropertyMachine::PutText(std::uint64_t at, InstructionText text, int length) {
  for (int i = 0; i < length; ++i) {
    image_[at + i] = *machine_.bytes(at + i) = static_cast<std::uint8_t>(text >> (56 - 8 * i));
  }
}

void PropertyMachine::Load(const MachineState& state) {
  Registers& registers = cpu().registers();
  registers = {};
  registers.general = state.general;
  registers.access = state.access;
  registers.floating_point = state.floating_point;
  registers.control = state.control;
  registers.floating_point_control = state.floating_point_control;
  registers.prefix = state.prefix;
  registers.tod_programmable = state.tod_programmable;
  registers.program_parameter = state.program_parameter;
  registers.clock_comparator = ~std::uint64_t{0};
  for (std::uint64_t page = 0; page < kStorage; page += kPageSize) {
    if (page < kPrefixArea || (machine_.key(page) & kChanged) != 0) {
      std::memcpy(machine_.bytes(page), &image_[page], kPageSize);
    }
    machine_.key(page) = kKey << 4;
  }
  std::memcpy(machine_.bytes(kFrames), state.frames.data(), kFrameBytes);
  cpu().ContextChanged();
}

MachineState PropertyMachine::Save() {
  const Registers& registers = cpu().registers();
  MachineState state;
  state.general = registers.general;
  state.access = registers.access;
  state.floating_point = registers.floating_point;
  state.control = registers.control;
  state.floating_point_control = registers.floating_point_control;
  state.prefix = registers.prefix;
  state.tod_programmable = registers.tod_programmable;
  state.program_parameter = registers.program_parameter;
  state.frames.assign(machine_.bytes(kFrames), machine_.bytes(kFrames) + kFrameBytes);
  for (std::uint64_t page = 0; page < kStorage; page += kPageSize) {
    const std::uint8_t key = machine_.key(page);
    state.keys.push_back(key & 0xf8);
    if (page < kPrefixArea || (page >= kFrames && page < kFrames + kFrameBytes)) continue;
    if ((key & kChanged) == 0 || std::memcmp(machine_.bytes(page), &image_[page], kPageSize) == 0) {
      continue;
    }
    state.others.push_back(static_cast<std::uint8_t>(page / kPageSize));
    state.others.insert(state.others.end(), machine_.bytes(page), machine_.bytes(page) + kPageSize);
  }
  return state;
}

std::vector<int> PropertyMachine::Touched() {
  std::vector<int> pages;
  for (int i = 0; i < kWindowPages; ++i) {
    if ((machine_.key(FrameOf(i)) & kReferenced) != 0) pages.push_back(i);
  }
  return pages;
}

bool PropertyMachine::Stored(int page) { return (machine_.key(FrameOf(page)) & kChanged) != 0; }

Ending PropertyMachine::Run(const Psw& psw, bool steps) {
  constexpr std::uint64_t kWaitAtProgramNew = 0x1d0;
  constexpr std::uint64_t kWaitAtSupervisorCallNew = 0x1c0;
  const DebugRequest every_instruction{PerCode::kFetching, {0, ~std::uint64_t{0}}};
  cpu().SetDebug(steps ? every_instruction : DebugRequest{});
  machine_.RunFrom(psw.address, psw.mask);
  cpu().SetDebug({});
  const auto old_psw = [this](std::uint64_t at) {
    return Psw{machine_.Get<std::uint64_t>(at), machine_.Get<std::uint64_t>(at + 8)};
  };
  Ending ending;
  ending.psw = cpu().registers().psw;
  if (ending.psw == Psw{TestMachine::kDisabledWait, kWaitAtProgramNew}) {
    ending.psw = old_psw(kProgramOld);
    const auto code = machine_.Get<std::uint16_t>(0x8e);
    ending.code = static_cast<ProgramCode>(code & 0x7f);
    if ((code & 0x80) != 0) ending.events = machine_.Get<std::uint8_t>(0x96);
    ending.length = static_cast<std::uint8_t>(machine_.Get<std::uint16_t>(0x8c));
    ending.data_exception = static_cast<std::uint8_t>(machine_.Get<std::uint32_t>(0x90));
    ending.translation_exception = machine_.Get<std::uint64_t>(0xa8);
  } else if (!steps && ending.psw == Psw{TestMachine::kDisabledWait, kWaitAtSupervisorCallNew}) {
    ending.psw = old_psw(kSupervisorCallOld);
  }
  ending.state = Save();
  return ending;
}

bool PropertyMachine::IsSound() {
  for (std::uint64_t page = kPrefixArea; page < kStorage; page += kPageSize) {
    if (page >= kFrames && page < kFrames + kFrameBytes) continue;
    if ((machine_.key(page) & kChanged) != 0) continue;
    if (std::memcmp(machine_.bytes(page), &image_[page], kPageSize) != 0) return false;
  }
  return true;
}

}  // namespace lethe::emulated
