// KVM_S390_MEM_OP of a machine (absolute storage) and of a CPU (logical addresses).

#include <cstring>
#include <vector>

#include "tests/conformance/machine.h"

namespace lethe::conformance {
namespace {

constexpr int kProtection = 4;
constexpr int kAddressing = 5;
constexpr std::uint32_t kUnknownOperation = 0xffffffff;
constexpr std::uint64_t kKey = abi::KVM_S390_MEMOP_F_SKEY_PROTECTION;
constexpr std::uint64_t kCheckOnly = abi::KVM_S390_MEMOP_F_CHECK_ONLY;
constexpr std::uint64_t kInject = abi::KVM_S390_MEMOP_F_INJECT_EXCEPTION;

class MemoryOperation : public MachineTest {
 protected:
  static constexpr std::uint64_t kAt = 0x100000;
  static constexpr std::uint64_t kBeyond = kMemorySize + 64 * kSegmentSize;
  static constexpr std::uint64_t kFarAway = ~std::uint64_t{0xfff};

  // An operation on `size` bytes that would do what its name says; the reserved bytes are garbage.
  abi::kvm_s390_mem_op Operation(std::uint32_t op, std::uint32_t size, std::uint64_t at = kAt) {
    buffer_.resize(65536 + 1);
    abi::kvm_s390_mem_op operation;
    std::memset(&operation, 0xa5, sizeof(operation));
    operation.gaddr = at;
    operation.flags = 0;
    operation.size = size;
    operation.op = op;
    operation.buf = reinterpret_cast<std::uintptr_t>(buffer_.data());
    operation.access.ar = 0;
    operation.access.key = 0;
    return operation;
  }
  int OnMachine(abi::kvm_s390_mem_op operation) {
    return Pass(vm(), abi::KVM_S390_MEM_OP, operation);
  }
  int OnCpu(Vcpu& cpu, abi::kvm_s390_mem_op operation) {
    return Pass(cpu.fd, abi::KVM_S390_MEM_OP, operation);
  }
  abi::kvm_s390_mem_op Read(std::uint32_t size, std::uint64_t at = kAt) {
    return Operation(abi::KVM_S390_MEMOP_ABSOLUTE_READ, size, at);
  }
  abi::kvm_s390_mem_op Write(std::uint32_t size, std::uint64_t at = kAt) {
    return Operation(abi::KVM_S390_MEMOP_ABSOLUTE_WRITE, size, at);
  }
  abi::kvm_s390_mem_op LogicalRead(std::uint32_t size, std::uint64_t at = kAt) {
    return Operation(abi::KVM_S390_MEMOP_LOGICAL_READ, size, at);
  }
  abi::kvm_s390_mem_op LogicalWrite(std::uint32_t size, std::uint64_t at = kAt) {
    return Operation(abi::KVM_S390_MEMOP_LOGICAL_WRITE, size, at);
  }
  static abi::kvm_s390_mem_op WithKey(abi::kvm_s390_mem_op operation, std::uint8_t key,
                                      std::uint64_t more_flags = 0) {
    operation.flags = kKey | more_flags;
    operation.access.key = key;
    return operation;
  }
  static abi::kvm_s390_mem_op WithFlags(abi::kvm_s390_mem_op operation, std::uint64_t flags) {
    operation.flags = flags;
    return operation;
  }
  static abi::kvm_s390_mem_op WithoutBuffer(abi::kvm_s390_mem_op operation) {
    operation.buf = kNowhere;
    return operation;
  }
  void SetKey(std::uint64_t at, std::uint8_t key, std::uint64_t pages = 1) {
    std::vector<std::uint8_t> keys(pages, key);
    abi::kvm_s390_skeys request{};
    request.start_gfn = at / kPageSize;
    request.count = pages;
    request.skeydata_addr = reinterpret_cast<std::uintptr_t>(keys.data());
    ASSERT_EQ(Pass(vm(), abi::KVM_S390_SET_SKEYS, request), 0);
  }
  // A CPU that has run once, without address translation.
  Vcpu& ReadyCpu(std::uint64_t control0 = 0) {
    // DIAG 0,0,X'501'; DIAG 0,0,X'501'
    Vcpu& cpu = AddCpuWith({0x83, 0x00, 0x05, 0x01, 0x83, 0x00, 0x05, 0x01});
    if (control0 != 0) SetControl(cpu, 0, control0);
    EXPECT_EQ(Run(cpu), 0);
    return cpu;
  }
  void FillBuffer() {
    buffer_.resize(65536 + 1);
    for (std::size_t i = 0; i < buffer_.size(); ++i)
      buffer_[i] = static_cast<std::uint8_t>(i * 7 + 3);
  }

  std::vector<std::uint8_t> buffer_;
};

// --- of a machine --------------------------------------------------------------------------------

TEST_F(MemoryOperation, ReadsAbsoluteStorage) {
  Store(kAt + 3, std::uint64_t{0x0102030405060708});
  ASSERT_EQ(OnMachine(Read(8, kAt + 3)), 0);
  EXPECT_EQ(LoadBigEndian<std::uint64_t>(buffer_.data()), 0x0102030405060708u);
}

TEST_F(MemoryOperation, WritesAbsoluteStorage) {
  const auto operation = Write(8, kAt + 3);
  StoreBigEndian(buffer_.data(), std::uint64_t{0x0102030405060708});
  ASSERT_EQ(OnMachine(operation), 0);
  EXPECT_EQ(Load<std::uint64_t>(kAt + 3), 0x0102030405060708u);
}

TEST_F(MemoryOperation, MovesOneByte) {
  FillBuffer();
  ASSERT_EQ(OnMachine(Write(1)), 0);
  EXPECT_EQ(Load<std::uint8_t>(kAt), buffer_[0]);
  EXPECT_EQ(Load<std::uint8_t>(kAt + 1), 0u);
}

TEST_F(MemoryOperation, MovesAsMuchAsTheCapabilitySays) {
  FillBuffer();
  ASSERT_EQ(OnMachine(Write(65536, kAt + 5)), 0);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt + 5, buffer_.data(), 65536), 0);
  std::fill(buffer_.begin(), buffer_.end(), std::uint8_t{0});
  ASSERT_EQ(OnMachine(Read(65536, kAt + 5)), 0);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt + 5, buffer_.data(), 65536), 0);
}

TEST_F(MemoryOperation, MoreIsTooBig) {
  EXPECT_EQ(OnMachine(Read(65537)), -E2BIG);
  EXPECT_EQ(OnMachine(Write(0xffffffff)), -E2BIG);
}

TEST_F(MemoryOperation, NothingIsInvalid) {
  EXPECT_EQ(OnMachine(Read(0)), -EINVAL);
  EXPECT_EQ(OnMachine(Write(0)), -EINVAL);
}

TEST_F(MemoryOperation, UnknownOperationsAreInvalid) {
  EXPECT_EQ(OnMachine(Operation(kUnknownOperation, 8)), -EINVAL);
  EXPECT_EQ(OnMachine(Operation(7, 8)), -EINVAL);
}

TEST_F(MemoryOperation, AMachineHasNoLogicalAddresses) {
  EXPECT_EQ(OnMachine(LogicalRead(8)), -EINVAL);
  EXPECT_EQ(OnMachine(LogicalWrite(8)), -EINVAL);
  EXPECT_EQ(OnMachine(Operation(abi::KVM_S390_MEMOP_SIDA_READ, 8)), -EINVAL);
}

TEST_F(MemoryOperation, AMachineInjectsNothing) {
  EXPECT_EQ(OnMachine(WithFlags(Read(8), kInject)), -EINVAL);
}

TEST_F(MemoryOperation, UnknownFlagsAreInvalid) {
  EXPECT_EQ(OnMachine(WithFlags(Read(8), ~std::uint64_t{0})), -EINVAL);
  EXPECT_EQ(OnMachine(WithFlags(Read(8), 8)), -EINVAL);
}

TEST_F(MemoryOperation, FlagsAreCheckedBeforeTheSize) {
  EXPECT_EQ(OnMachine(WithFlags(Read(65537), 8)), -EINVAL);
}

TEST_F(MemoryOperation, TheSizeIsCheckedBeforeTheKey) {
  EXPECT_EQ(OnMachine(WithKey(Read(65537), 17)), -E2BIG);
}

TEST_F(MemoryOperation, KeysEndAt15) {
  EXPECT_EQ(OnMachine(WithKey(Read(8), 16)), -EINVAL);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 255)), -EINVAL);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 15)), 0);
}

TEST_F(MemoryOperation, WithoutTheFlagTheKeyIsNotLookedAt) {
  auto operation = Read(8);
  operation.access.key = 17;
  EXPECT_EQ(OnMachine(operation), 0);
}

TEST_F(MemoryOperation, KeysAreCheckedBeforeTheAddress) {
  EXPECT_EQ(OnMachine(WithKey(Read(8, kFarAway), 17)), -EINVAL);
}

TEST_F(MemoryOperation, AbsoluteStorageEndsWithTheSlots) {
  EXPECT_EQ(OnMachine(Read(8, kBeyond)), kAddressing);
  EXPECT_EQ(OnMachine(Write(8, kBeyond)), kAddressing);
  EXPECT_EQ(OnMachine(Read(8, kFarAway)), kAddressing);
  EXPECT_EQ(OnMachine(Read(8, kMemorySize - 4)), kAddressing);
}

TEST_F(MemoryOperation, ABufferThatIsNotThereIsAFault) {
  EXPECT_EQ(OnMachine(WithoutBuffer(Read(8))), -EFAULT);
  EXPECT_EQ(OnMachine(WithoutBuffer(Write(8))), -EFAULT);
}

TEST_F(MemoryOperation, TheFirstPageIsLookedForBeforeTheBuffer) {
  EXPECT_EQ(OnMachine(WithoutBuffer(Read(8, kBeyond))), kAddressing);
  EXPECT_EQ(OnMachine(WithoutBuffer(Write(8, kBeyond))), kAddressing);
}

TEST_F(MemoryOperation, ABufferToWriteFromIsReadBeforeTheRest) {
  EXPECT_EQ(OnMachine(WithoutBuffer(Write(8, kMemorySize - 4))), -EFAULT);
  EXPECT_EQ(OnMachine(WithoutBuffer(Read(8, kMemorySize - 4))), kAddressing);
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnMachine(WithKey(WithoutBuffer(Write(8)), 2)), -EFAULT);
  EXPECT_EQ(OnMachine(WithKey(WithoutBuffer(Read(8)), 2)), kProtection);
}

TEST_F(MemoryOperation, CheckingOnlyMovesNothing) {
  FillBuffer();
  EXPECT_EQ(OnMachine(WithFlags(Write(8), kCheckOnly)), 0);
  EXPECT_EQ(Load<std::uint64_t>(kAt), 0u);
  EXPECT_EQ(OnMachine(WithFlags(Read(8), kCheckOnly)), 0);
  EXPECT_NE(buffer_[0], 0u);
}

TEST_F(MemoryOperation, CheckingOnlyNeedsNoBuffer) {
  EXPECT_EQ(OnMachine(WithFlags(WithoutBuffer(Write(8)), kCheckOnly)), 0);
}

TEST_F(MemoryOperation, CheckingOnlyFindsTheEnd) {
  EXPECT_EQ(OnMachine(WithFlags(Write(8, kBeyond), kCheckOnly)), kAddressing);
  EXPECT_EQ(OnMachine(WithKey(Read(8, kMemorySize - 4), 2, kCheckOnly)), kAddressing);
}

TEST_F(MemoryOperation, CheckingOnlyWithKeyZeroLooksAtTheFirstPageOnly) {
  EXPECT_EQ(OnMachine(WithFlags(Read(8, kMemorySize - 4), kCheckOnly)), 0);
  EXPECT_EQ(OnMachine(WithKey(Write(8, kMemorySize - 4), 0, kCheckOnly)), 0);
}

TEST_F(MemoryOperation, TheSameKeyMayDoEverything) {
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 9)), 0);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 9)), 0);
}

TEST_F(MemoryOperation, KeyZeroMayDoEverything) {
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 0)), 0);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 0)), 0);
  EXPECT_EQ(OnMachine(Write(8)), 0);
}

TEST_F(MemoryOperation, AnotherKeyMayFetchWhereFetchingIsNotProtected) {
  SetKey(kAt, 0x90);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 2)), 0);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 2)), kProtection);
}

TEST_F(MemoryOperation, AnotherKeyMayNotFetchWhereFetchingIsProtected) {
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 2)), kProtection);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 2)), kProtection);
}

TEST_F(MemoryOperation, CheckingOnlyObeysKeys) {
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnMachine(WithKey(Read(8), 2, kCheckOnly)), kProtection);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 2, kCheckOnly)), kProtection);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 9, kCheckOnly)), 0);
}

TEST_F(MemoryOperation, AbsoluteStorageKnowsNoOverrides) {
  constexpr std::uint64_t kStorageOverride = std::uint64_t{1} << (63 - 39);
  constexpr std::uint64_t kFetchOverride = std::uint64_t{1} << (63 - 38);
  ReadyCpu(kStorageOverride | kFetchOverride | 0xe0);
  SetKey(kAt, 0x98);
  SetKey(0, 0x18);
  EXPECT_EQ(OnMachine(WithKey(Write(8), 2)), kProtection);
  EXPECT_EQ(OnMachine(WithKey(Read(8, 0), 2)), kProtection);
  SetKey(0, 0x00);
}

TEST_F(MemoryOperation, AStoreThatEndsAtAProtectedPageHasBegun) {
  SetKey(kAt, 0x18);
  SetKey(kAt + kPageSize, 0x98);
  FillBuffer();
  EXPECT_EQ(OnMachine(WithKey(Write(8, kAt + kPageSize - 4), 1)), kProtection);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt + kPageSize - 4, buffer_.data(), 4), 0);
  EXPECT_EQ(Load<std::uint32_t>(kAt + kPageSize), 0u);
}

// --- of a CPU
// --------------------------------------------------------------------------------------

TEST_F(MemoryOperation, LogicalReadsAndWrites) {
  Vcpu& cpu = ReadyCpu();
  FillBuffer();
  ASSERT_EQ(OnCpu(cpu, LogicalWrite(65536, kAt + 1)), 0);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt + 1, buffer_.data(), 65536), 0);
  std::fill(buffer_.begin(), buffer_.end(), std::uint8_t{0});
  ASSERT_EQ(OnCpu(cpu, LogicalRead(65536, kAt + 1)), 0);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt + 1, buffer_.data(), 65536), 0);
}

TEST_F(MemoryOperation, LogicalChecksOfArguments) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, LogicalRead(0)), -EINVAL);
  EXPECT_EQ(OnCpu(cpu, LogicalRead(65537)), -E2BIG);
  EXPECT_EQ(OnCpu(cpu, WithFlags(LogicalRead(8), 8)), -EINVAL);
  EXPECT_EQ(OnCpu(cpu, WithFlags(LogicalRead(8), ~std::uint64_t{0})), -EINVAL);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(8), 17)), -EINVAL);
  EXPECT_EQ(OnCpu(cpu, Operation(kUnknownOperation, 8)), -EINVAL);
}

TEST_F(MemoryOperation, ACpuHasNoAbsoluteOperations) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, Read(8)), -EINVAL);
  EXPECT_EQ(OnCpu(cpu, Write(8)), -EINVAL);
  EXPECT_EQ(OnCpu(cpu, Operation(abi::KVM_S390_MEMOP_ABSOLUTE_CMPXCHG, 8)), -EINVAL);
}

TEST_F(MemoryOperation, AccessRegistersEndAt15) {
  Vcpu& cpu = ReadyCpu();
  auto operation = LogicalRead(8);
  operation.access.ar = 16;
  EXPECT_EQ(OnCpu(cpu, operation), -EINVAL);
  operation.access.ar = 17;
  EXPECT_EQ(OnCpu(cpu, operation), -EINVAL);
  operation.access.ar = 15;
  EXPECT_EQ(OnCpu(cpu, operation), 0);
}

TEST_F(MemoryOperation, LogicalStorageEndsWithTheSlots) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, LogicalRead(8, kBeyond)), kAddressing);
  EXPECT_EQ(OnCpu(cpu, LogicalWrite(8, kBeyond)), kAddressing);
  EXPECT_EQ(OnCpu(cpu, WithFlags(LogicalRead(8, kBeyond), kCheckOnly)), kAddressing);
}

TEST_F(MemoryOperation, LogicalBuffersThatAreNotThereAreFaults) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, WithoutBuffer(LogicalRead(8))), -EFAULT);
  EXPECT_EQ(OnCpu(cpu, WithoutBuffer(LogicalWrite(8))), -EFAULT);
  EXPECT_EQ(OnCpu(cpu, WithoutBuffer(LogicalWrite(8, kBeyond))), -EFAULT);
  EXPECT_EQ(OnCpu(cpu, WithoutBuffer(LogicalRead(8, kBeyond))), kAddressing);
}

TEST_F(MemoryOperation, LogicalAddressesAreSubjectToPrefixing) {
  Vcpu& cpu = ReadyCpu();
  cpu.run->s.regs.prefix = 0x40000;
  cpu.run->kvm_dirty_regs |= abi::KVM_SYNC_PREFIX;
  ASSERT_EQ(Run(cpu), 0);
  Store(0x40000 + 0x1100, std::uint32_t{0x01020304});
  ASSERT_EQ(OnCpu(cpu, LogicalRead(4, 0x1100)), 0);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(buffer_.data()), 0x01020304u);
  ASSERT_EQ(OnMachine(Read(4, 0x1100)), 0);  // which has no prefix
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(buffer_.data()), 0u);
}

TEST_F(MemoryOperation, LogicalAddressesAreTranslated) {
  constexpr std::uint64_t kTable = 0x40000;  // one segment table, one page table
  constexpr std::uint64_t kPages = 0x48000;
  constexpr std::uint64_t kTranslation = std::uint64_t{1} << (63 - 5);        // of a PSW
  for (int i = 0; i < 2048; ++i) Store(kTable + 8 * i, std::uint64_t{0x20});  // invalid
  for (int i = 0; i < 256; ++i) Store(kPages + 8 * i, std::uint64_t{0x400});  // invalid
  Store(kTable, kPages);
  Store(kPages + 8 * (kProgramAt / kPageSize), kProgramAt);
  Store(kPages + 8 * 0x77, kAt);
  Vcpu& cpu = AddCpuWith({0x83, 0x00, 0x05, 0x01});
  SetPsw(cpu, kSupervisor | kTranslation);
  SetControl(cpu, 1, kTable | 3);
  ASSERT_EQ(Run(cpu), 0);
  ASSERT_EQ(cpu.run->exit_reason, abi::KVM_EXIT_S390_SIEIC);
  Store(kAt + 0x10, std::uint32_t{0x01020304});
  ASSERT_EQ(OnCpu(cpu, LogicalRead(4, 0x77010)), 0);
  EXPECT_EQ(LoadBigEndian<std::uint32_t>(buffer_.data()), 0x01020304u);
  EXPECT_EQ(OnCpu(cpu, LogicalRead(4, 0x78010)), 0x11);                 // page translation
  EXPECT_EQ(OnCpu(cpu, LogicalRead(4, 0x100000)), 0x10);                // segment translation
  EXPECT_EQ(OnCpu(cpu, LogicalRead(4, std::uint64_t{1} << 42)), 0x38);  // its type
}

TEST_F(MemoryOperation, LogicalAccessObeysKeys) {
  Vcpu& cpu = ReadyCpu();
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(8), 2)), kProtection);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8), 2)), kProtection);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(8), 2, kCheckOnly)), kProtection);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8), 2, kCheckOnly)), kProtection);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8), 9)), 0);
  EXPECT_EQ(OnCpu(cpu, LogicalWrite(8)), 0);
  SetKey(kAt, 0x90);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(8), 2)), 0);
}

TEST_F(MemoryOperation, LogicalAccessKnowsStorageProtectionOverride) {
  constexpr std::uint64_t kStorageOverride = std::uint64_t{1} << (63 - 39);
  Vcpu& cpu = ReadyCpu(kStorageOverride | 0xe0);
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8), 2)), 0);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(8), 2)), 0);
  SetKey(kAt, 0x88);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8), 2)), kProtection);
}

TEST_F(MemoryOperation, LogicalAccessKnowsFetchProtectionOverride) {
  constexpr std::uint64_t kFetchOverride = std::uint64_t{1} << (63 - 38);
  Vcpu& cpu = ReadyCpu(kFetchOverride | 0xe0);
  SetKey(0, 0x98);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(2048, 0), 2)), 0);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(2049, 0), 2)), kProtection);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8, 0), 2)), kProtection);
  SetKey(0, 0x00);
}

TEST_F(MemoryOperation, WithoutTheOverrideFetchProtectionHoldsAtZero) {
  Vcpu& cpu = ReadyCpu();
  SetKey(0, 0x98);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalRead(2048, 0), 2)), kProtection);
  SetKey(0, 0x00);
}

TEST_F(MemoryOperation, ALogicalStoreThatEndsAtAProtectedPageHasBegun) {
  Vcpu& cpu = ReadyCpu();
  SetKey(kAt, 0x18);
  SetKey(kAt + kPageSize, 0x98);
  FillBuffer();
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8, kAt + kPageSize - 4), 1)), kProtection);
  EXPECT_EQ(std::memcmp(memory().bytes() + kAt + kPageSize - 4, buffer_.data(), 4), 0);
  EXPECT_EQ(Load<std::uint32_t>(kAt + kPageSize), 0u);
}

TEST_F(MemoryOperation, LogicalChecksLeaveNothingPending) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, LogicalRead(8, kBeyond)), kAddressing);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, kProgramAt + 8);
}

class InjectedException : public MemoryOperation {
 protected:
  // What the guest finds at its program interruption.
  void RunIntoProgramInterruption(Vcpu& cpu) {
    SetNewPsw(0x1d0, kSupervisor, 0x20000);
    Program({0x83, 0x00, 0x05, 0x01}, 0x20000);
    ASSERT_EQ(Run(cpu), 0);
    ASSERT_EQ(cpu.run->psw_addr, 0x20004u);
    code_ = Load<std::uint16_t>(0x8e);
    translation_exception_ = Load<std::uint64_t>(0xa8);
  }
  bool Bit(int number) const { return (translation_exception_ >> (63 - number) & 1) != 0; }

  std::uint16_t code_ = 0;
  std::uint64_t translation_exception_ = 0;
};

TEST_F(InjectedException, IsTheGuestsAtItsNextRun) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, WithFlags(LogicalRead(8, kBeyond), kInject)), kAddressing);
  RunIntoProgramInterruption(cpu);
  EXPECT_EQ(code_, kAddressing);
}

TEST_F(InjectedException, AlsoAfterACheck) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, WithFlags(LogicalRead(8, kBeyond), kInject | kCheckOnly)), kAddressing);
  RunIntoProgramInterruption(cpu);
  EXPECT_EQ(code_, kAddressing);
}

TEST_F(InjectedException, DoesNotHappenWithoutOne) {
  Vcpu& cpu = ReadyCpu();
  EXPECT_EQ(OnCpu(cpu, WithFlags(LogicalRead(8), kInject)), 0);
  ASSERT_EQ(Run(cpu), 0);
  EXPECT_EQ(cpu.run->psw_addr, kProgramAt + 8);
}

TEST_F(InjectedException, AStoreThatHadBegunIsTerminated) {
  Vcpu& cpu = ReadyCpu();
  SetKey(kAt, 0x18);
  SetKey(kAt + kPageSize, 0x98);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8, kAt + kPageSize - 4), 1, kInject)), kProtection);
  RunIntoProgramInterruption(cpu);
  EXPECT_EQ(code_, kProtection);
  EXPECT_FALSE(Bit(56) || Bit(60) || Bit(61)) << std::hex << translation_exception_;
}

TEST_F(InjectedException, AStoreThatHadNotBegunIsSuppressedByKey) {
  Vcpu& cpu = ReadyCpu();
  SetKey(kAt, 0x98);
  EXPECT_EQ(OnCpu(cpu, WithKey(LogicalWrite(8), 1, kInject)), kProtection);
  RunIntoProgramInterruption(cpu);
  EXPECT_EQ(code_, kProtection);
  EXPECT_TRUE(Bit(60)) << std::hex << translation_exception_;
  EXPECT_FALSE(Bit(56) || Bit(61)) << std::hex << translation_exception_;
  EXPECT_EQ(translation_exception_ & ~std::uint64_t{0xfff}, kAt);
}

// --- the secure instruction data area
// --------------------------------------------------------------

class SecureData : public MemoryOperation {};

TEST_F(SecureData, IsNotThereForOrdinaryCpus) {
  Vcpu& cpu = ReadyCpu();
  for (const std::uint32_t op : {abi::KVM_S390_MEMOP_SIDA_READ, abi::KVM_S390_MEMOP_SIDA_WRITE}) {
    auto operation = Operation(op, 8);
    operation.sida_offset = 0x1c0;
    EXPECT_EQ(OnCpu(cpu, operation), -EINVAL);
  }
}

TEST_F(SecureData, TakesNoFlags) {
  Vcpu& cpu = ReadyCpu();
  auto operation = Operation(abi::KVM_S390_MEMOP_SIDA_READ, 8);
  operation.sida_offset = 0;
  EXPECT_EQ(OnCpu(cpu, WithFlags(operation, kCheckOnly)), -EINVAL);
}

TEST_F(SecureData, SizeAndOffsetDoNotWrap) {
  Vcpu& cpu = ReadyCpu();
  auto operation = Operation(abi::KVM_S390_MEMOP_SIDA_READ, 8);
  operation.sida_offset = 0xfffffff8;
  EXPECT_EQ(OnCpu(cpu, operation), -EINVAL);
}

TEST_F(SecureData, TheSizeIsCheckedBeforeTheKindOfCpu) {
  Vcpu& cpu = ReadyCpu();
  auto operation = Operation(abi::KVM_S390_MEMOP_SIDA_READ, 0x200000);
  operation.sida_offset = 0;
  EXPECT_EQ(OnCpu(cpu, operation), -E2BIG);
}

}  // namespace
}  // namespace lethe::conformance
