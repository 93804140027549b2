#ifndef LETHE_ACCEL_KVM_S390_ABI_H_
#define LETHE_ACCEL_KVM_S390_ABI_H_

#include <cstddef>
#include <cstdint>

// The interface of KVM on s390x, with the names of Linux (include/uapi/linux/kvm.h and
// arch/s390/include/uapi/asm/kvm.h; Documentation/virt/kvm/api.rst), written down once for every
// build: the x86-64 build with the emulated host uses the same numbers and layouts as the s390x
// build with the real one. Pointers are held as 64-bit integers. Fields are in host order.
//
// The base is Linux 6.12; what came after, or came late enough to matter, says so. Where Linux has
// an unnamed structure inside a union, ours has a name, as ISO C++ wants it.
//
// Do not include <linux/kvm.h> beside this header: its macros carry the same names.
namespace lethe::abi {

inline constexpr int KVM_API_VERSION = 12;

// --- Requests on /dev/kvm
// -------------------------------------------------------------------------

inline constexpr unsigned long KVM_GET_API_VERSION = 0x0000ae00;
inline constexpr unsigned long KVM_CREATE_VM = 0x0000ae01;
inline constexpr unsigned long KVM_CHECK_EXTENSION = 0x0000ae03;  // also on a VM descriptor
inline constexpr unsigned long KVM_GET_VCPU_MMAP_SIZE = 0x0000ae04;
inline constexpr unsigned long KVM_S390_ENABLE_SIE = 0x0000ae06;

inline constexpr std::uint64_t KVM_VM_S390_UCONTROL = 1;  // type argument of KVM_CREATE_VM

// --- Requests on a VM
// -----------------------------------------------------------------------------

inline constexpr unsigned long KVM_CREATE_VCPU = 0x0000ae41;
inline constexpr unsigned long KVM_GET_DIRTY_LOG = 0x4010ae42;
inline constexpr unsigned long KVM_SET_USER_MEMORY_REGION = 0x4020ae46;
inline constexpr unsigned long KVM_SET_USER_MEMORY_REGION2 = 0x40a0ae49;  // Linux 6.8
inline constexpr unsigned long KVM_CREATE_IRQCHIP = 0x0000ae60;
inline constexpr unsigned long KVM_SET_GSI_ROUTING = 0x4008ae6a;
inline constexpr unsigned long KVM_IRQFD = 0x4020ae76;
inline constexpr unsigned long KVM_IOEVENTFD = 0x4040ae79;
inline constexpr unsigned long KVM_S390_INTERRUPT = 0x4010ae94;  // also on a vCPU
inline constexpr unsigned long KVM_ENABLE_CAP = 0x4068aea3;      // also on a vCPU
inline constexpr unsigned long KVM_S390_MEM_OP = 0x4040aeb1;     // also on a vCPU
inline constexpr unsigned long KVM_S390_GET_SKEYS = 0x4040aeb2;
inline constexpr unsigned long KVM_S390_SET_SKEYS = 0x4040aeb3;
inline constexpr unsigned long KVM_S390_GET_CMMA_BITS = 0xc020aeb8;
inline constexpr unsigned long KVM_S390_SET_CMMA_BITS = 0x4020aeb9;
inline constexpr unsigned long KVM_S390_PV_COMMAND = 0xc020aec5;
inline constexpr unsigned long KVM_GET_STATS_FD = 0x0000aece;  // also on a vCPU
inline constexpr unsigned long KVM_S390_ZPCI_OP = 0x4048aed1;
inline constexpr unsigned long KVM_CREATE_DEVICE = 0xc00caee0;
inline constexpr unsigned long KVM_SET_DEVICE_ATTR = 0x4018aee1;  // also on a device
inline constexpr unsigned long KVM_GET_DEVICE_ATTR = 0x4018aee2;  // also on a device
inline constexpr unsigned long KVM_HAS_DEVICE_ATTR = 0x4018aee3;  // also on a device
inline constexpr unsigned long KVM_S390_KEYOP = 0xc010ae53;       // Linux 7.x

// --- Requests on a vCPU
// ---------------------------------------------------------------------------

inline constexpr unsigned long KVM_S390_UCAS_MAP = 0x4018ae50;
inline constexpr unsigned long KVM_S390_UCAS_UNMAP = 0x4018ae51;
inline constexpr unsigned long KVM_S390_VCPU_FAULT = 0x4008ae52;
inline constexpr unsigned long KVM_RUN = 0x0000ae80;
inline constexpr unsigned long KVM_GET_REGS = 0x8080ae81;
inline constexpr unsigned long KVM_SET_REGS = 0x4080ae82;
inline constexpr unsigned long KVM_GET_SREGS = 0x80c0ae83;
inline constexpr unsigned long KVM_SET_SREGS = 0x40c0ae84;
inline constexpr unsigned long KVM_TRANSLATE = 0xc018ae85;
inline constexpr unsigned long KVM_SET_SIGNAL_MASK = 0x4004ae8b;
inline constexpr unsigned long KVM_GET_FPU = 0x8088ae8c;
inline constexpr unsigned long KVM_SET_FPU = 0x4088ae8d;
inline constexpr unsigned long KVM_S390_STORE_STATUS = 0x4008ae95;  // argument by value
inline constexpr unsigned long KVM_S390_SET_INITIAL_PSW = 0x4010ae96;
inline constexpr unsigned long KVM_S390_INITIAL_RESET = 0x0000ae97;
inline constexpr unsigned long KVM_GET_MP_STATE = 0x8004ae98;  // the state is the ioctl's result
inline constexpr unsigned long KVM_SET_MP_STATE = 0x4004ae99;
inline constexpr unsigned long KVM_SET_GUEST_DEBUG = 0x4018ae9b;
inline constexpr unsigned long KVM_GET_ONE_REG = 0x4010aeab;
inline constexpr unsigned long KVM_SET_ONE_REG = 0x4010aeac;
inline constexpr unsigned long KVM_GET_REG_LIST = 0xc008aeb0;
inline constexpr unsigned long KVM_S390_IRQ = 0x4048aeb4;
inline constexpr unsigned long KVM_S390_SET_IRQ_STATE = 0x4020aeb5;
inline constexpr unsigned long KVM_S390_GET_IRQ_STATE = 0x4020aeb6;
inline constexpr unsigned long KVM_S390_NORMAL_RESET = 0x0000aec3;
inline constexpr unsigned long KVM_S390_CLEAR_RESET = 0x0000aec4;
inline constexpr unsigned long KVM_S390_PV_CPU_COMMAND = 0xc020aed0;  // Linux 6.0

// Arguments of KVM_S390_STORE_STATUS that are not addresses.
inline constexpr std::uint64_t KVM_S390_STORE_STATUS_NOADDR = ~std::uint64_t{0};
inline constexpr std::uint64_t KVM_S390_STORE_STATUS_PREFIXED = ~std::uint64_t{1};

// --- Capabilities
// ---------------------------------------------------------------------------------

inline constexpr unsigned KVM_CAP_USER_MEMORY = 3;
inline constexpr unsigned KVM_CAP_NR_VCPUS = 9;
inline constexpr unsigned KVM_CAP_NR_MEMSLOTS = 10;
inline constexpr unsigned KVM_CAP_MP_STATE = 14;
inline constexpr unsigned KVM_CAP_COALESCED_MMIO = 15;
inline constexpr unsigned KVM_CAP_SYNC_MMU = 16;
inline constexpr unsigned KVM_CAP_SET_GUEST_DEBUG = 23;
inline constexpr unsigned KVM_CAP_IRQ_ROUTING = 25;
inline constexpr unsigned KVM_CAP_IRQFD = 32;
inline constexpr unsigned KVM_CAP_IOEVENTFD = 36;
inline constexpr unsigned KVM_CAP_S390_PSW = 42;
inline constexpr unsigned KVM_CAP_ENABLE_CAP = 54;
inline constexpr unsigned KVM_CAP_ASYNC_PF = 59;
inline constexpr unsigned KVM_CAP_MAX_VCPUS = 66;
inline constexpr unsigned KVM_CAP_ONE_REG = 70;
inline constexpr unsigned KVM_CAP_S390_GMAP = 71;
inline constexpr unsigned KVM_CAP_S390_UCONTROL = 73;
inline constexpr unsigned KVM_CAP_SYNC_REGS = 74;
inline constexpr unsigned KVM_CAP_SIGNAL_MSI = 77;
inline constexpr unsigned KVM_CAP_S390_COW = 79;
inline constexpr unsigned KVM_CAP_READONLY_MEM = 81;
inline constexpr unsigned KVM_CAP_IRQFD_RESAMPLE = 82;
inline constexpr unsigned KVM_CAP_S390_CSS_SUPPORT = 85;
inline constexpr unsigned KVM_CAP_DEVICE_CTRL = 89;
inline constexpr unsigned KVM_CAP_ENABLE_CAP_VM = 98;
inline constexpr unsigned KVM_CAP_S390_IRQCHIP = 99;
inline constexpr unsigned KVM_CAP_IOEVENTFD_NO_LENGTH = 100;
inline constexpr unsigned KVM_CAP_VM_ATTRIBUTES = 101;
inline constexpr unsigned KVM_CAP_CHECK_EXTENSION_VM = 105;
inline constexpr unsigned KVM_CAP_S390_USER_SIGP = 106;
inline constexpr unsigned KVM_CAP_S390_VECTOR_REGISTERS = 107;
inline constexpr unsigned KVM_CAP_S390_MEM_OP = 108;
inline constexpr unsigned KVM_CAP_S390_USER_STSI = 109;
inline constexpr unsigned KVM_CAP_S390_SKEYS = 110;
inline constexpr unsigned KVM_CAP_S390_INJECT_IRQ = 113;
inline constexpr unsigned KVM_CAP_S390_IRQ_STATE = 114;
inline constexpr unsigned KVM_CAP_IOEVENTFD_ANY_LENGTH = 122;
inline constexpr unsigned KVM_CAP_S390_RI = 124;
inline constexpr unsigned KVM_CAP_MAX_VCPU_ID = 128;
inline constexpr unsigned KVM_CAP_S390_USER_INSTR0 = 130;
inline constexpr unsigned KVM_CAP_IMMEDIATE_EXIT = 136;
inline constexpr unsigned KVM_CAP_S390_GS = 140;
inline constexpr unsigned KVM_CAP_S390_AIS = 141;
inline constexpr unsigned KVM_CAP_S390_CMMA_MIGRATION = 145;
inline constexpr unsigned KVM_CAP_S390_AIS_MIGRATION = 150;
inline constexpr unsigned KVM_CAP_S390_BPB = 152;
inline constexpr unsigned KVM_CAP_S390_HPAGE_1M = 156;
inline constexpr unsigned KVM_CAP_S390_VCPU_RESETS = 179;  // Linux 5.6
inline constexpr unsigned KVM_CAP_S390_PROTECTED = 180;    // Linux 5.7
inline constexpr unsigned KVM_CAP_HALT_POLL = 182;
inline constexpr unsigned KVM_CAP_S390_DIAG318 = 186;  // Linux 5.9
inline constexpr unsigned KVM_CAP_SET_GUEST_DEBUG2 = 195;
inline constexpr unsigned KVM_CAP_BINARY_STATS_FD = 203;
inline constexpr unsigned KVM_CAP_S390_MEM_OP_EXTENSION = 211;         // Linux 5.19
inline constexpr unsigned KVM_CAP_S390_PROTECTED_DUMP = 217;           // Linux 6.0
inline constexpr unsigned KVM_CAP_S390_ZPCI_OP = 221;                  // Linux 6.0
inline constexpr unsigned KVM_CAP_S390_CPU_TOPOLOGY = 222;             // Linux 6.0
inline constexpr unsigned KVM_CAP_S390_PROTECTED_ASYNC_DISABLE = 224;  // Linux 6.2
inline constexpr unsigned KVM_CAP_USER_MEMORY2 = 231;                  // Linux 6.8
inline constexpr unsigned KVM_CAP_GUEST_MEMFD = 234;
inline constexpr unsigned KVM_CAP_PRE_FAULT_MEMORY = 236;
inline constexpr unsigned KVM_CAP_S390_USER_OPEREXEC = 246;  // Linux 7.x
inline constexpr unsigned KVM_CAP_S390_KEYOP = 247;          // Linux 7.x
inline constexpr unsigned KVM_CAP_S390_VSIE_ESAMODE = 248;   // Linux 7.x

inline constexpr int KVM_S390_MEMOP_EXTENSION_CAP_BASE = 1 << 0;
inline constexpr int KVM_S390_MEMOP_EXTENSION_CAP_CMPXCHG = 1 << 1;  // Linux 6.3

struct kvm_enable_cap {
  std::uint32_t cap;
  std::uint32_t flags;
  std::uint64_t args[4];
  std::uint8_t pad[64];
};
static_assert(sizeof(kvm_enable_cap) == 104 && offsetof(kvm_enable_cap, args) == 8);

// --- Registers
// ------------------------------------------------------------------------------------

struct kvm_regs {
  std::uint64_t gprs[16];
};
static_assert(sizeof(kvm_regs) == 128);

struct kvm_sregs {
  std::uint32_t acrs[16];
  std::uint64_t crs[16];
};
static_assert(sizeof(kvm_sregs) == 192 && offsetof(kvm_sregs, crs) == 64);

struct kvm_fpu {
  std::uint32_t fpc;
  std::uint64_t fprs[16];
};
static_assert(sizeof(kvm_fpu) == 136 && offsetof(kvm_fpu, fprs) == 8);

struct kvm_s390_psw {
  std::uint64_t mask;
  std::uint64_t addr;
};
static_assert(sizeof(kvm_s390_psw) == 16);

struct kvm_one_reg {
  std::uint64_t id;
  std::uint64_t addr;
};
static_assert(sizeof(kvm_one_reg) == 16);

inline constexpr std::uint64_t KVM_REG_S390_TODPR = 0x5020000000000001;  // 32 bits, the rest 64
inline constexpr std::uint64_t KVM_REG_S390_EPOCHDIFF = 0x5030000000000002;
inline constexpr std::uint64_t KVM_REG_S390_CPU_TIMER = 0x5030000000000003;
inline constexpr std::uint64_t KVM_REG_S390_CLOCK_COMP = 0x5030000000000004;
inline constexpr std::uint64_t KVM_REG_S390_PFTOKEN = 0x5030000000000005;
inline constexpr std::uint64_t KVM_REG_S390_PFCOMPARE = 0x5030000000000006;
inline constexpr std::uint64_t KVM_REG_S390_PFSELECT = 0x5030000000000007;
inline constexpr std::uint64_t KVM_REG_S390_PP = 0x5030000000000008;
inline constexpr std::uint64_t KVM_REG_S390_GBEA = 0x5030000000000009;

inline constexpr std::uint64_t KVM_SYNC_PREFIX = 0x1;
inline constexpr std::uint64_t KVM_SYNC_GPRS = 0x2;
inline constexpr std::uint64_t KVM_SYNC_ACRS = 0x4;
inline constexpr std::uint64_t KVM_SYNC_CRS = 0x8;
inline constexpr std::uint64_t KVM_SYNC_ARCH0 = 0x10;
inline constexpr std::uint64_t KVM_SYNC_PFAULT = 0x20;
inline constexpr std::uint64_t KVM_SYNC_VRS = 0x40;
inline constexpr std::uint64_t KVM_SYNC_RICCB = 0x80;
inline constexpr std::uint64_t KVM_SYNC_FPRS = 0x100;
inline constexpr std::uint64_t KVM_SYNC_GSCB = 0x200;
inline constexpr std::uint64_t KVM_SYNC_BPBC = 0x400;
inline constexpr std::uint64_t KVM_SYNC_ETOKEN = 0x800;
inline constexpr std::uint64_t KVM_SYNC_DIAG318 = 0x1000;
inline constexpr std::uint64_t KVM_SYNC_S390_VALID_FIELDS = 0x1fff;

// The bit of kvm_sync_regs::bpbc that Linux declares as a bit field.
inline constexpr std::uint8_t KVM_SYNC_BPBC_BIT = 0x80;

struct kvm_sync_sdnx {
  std::uint64_t reserved1[2];
  std::uint64_t gscb[4];
  std::uint64_t etoken;
  std::uint64_t etoken_extension;
};
static_assert(sizeof(kvm_sync_sdnx) == 64);

struct kvm_sync_regs {
  std::uint64_t prefix;
  std::uint64_t gprs[16];
  std::uint32_t acrs[16];
  std::uint64_t crs[16];
  std::uint64_t todpr;
  std::uint64_t cputm;
  std::uint64_t ckc;
  std::uint64_t pp;
  std::uint64_t gbea;
  std::uint64_t pft;
  std::uint64_t pfs;
  std::uint64_t pfc;
  union {
    std::uint64_t vrs[32][2];
    std::uint64_t fprs[16];
  };
  std::uint8_t reserved[512];
  std::uint32_t fpc;
  std::uint8_t bpbc;  // KVM_SYNC_BPBC_BIT
  std::uint8_t padding1[51];
  std::uint8_t riccb[64];
  std::uint64_t diag318;
  std::uint8_t padding2[184];
  union {
    std::uint8_t sdnx[256];
    kvm_sync_sdnx guarded_storage;
  };
};
static_assert(sizeof(kvm_sync_regs) == 1984);
static_assert(offsetof(kvm_sync_regs, gprs) == 8);
static_assert(offsetof(kvm_sync_regs, acrs) == 136);
static_assert(offsetof(kvm_sync_regs, crs) == 200);
static_assert(offsetof(kvm_sync_regs, todpr) == 328);
static_assert(offsetof(kvm_sync_regs, gbea) == 360);
static_assert(offsetof(kvm_sync_regs, pft) == 368);
static_assert(offsetof(kvm_sync_regs, vrs) == 392 && offsetof(kvm_sync_regs, fprs) == 392);
static_assert(offsetof(kvm_sync_regs, fpc) == 1416);
static_assert(offsetof(kvm_sync_regs, bpbc) == 1420);
static_assert(offsetof(kvm_sync_regs, riccb) == 1472);
static_assert(offsetof(kvm_sync_regs, diag318) == 1536);
static_assert(offsetof(kvm_sync_regs, sdnx) == 1728);
static_assert(offsetof(kvm_sync_sdnx, gscb) == 16 && offsetof(kvm_sync_sdnx, etoken) == 48);

// --- The run area of a vCPU
// -----------------------------------------------------------------------

inline constexpr std::uint32_t KVM_EXIT_UNKNOWN = 0;
inline constexpr std::uint32_t KVM_EXIT_DEBUG = 4;
inline constexpr std::uint32_t KVM_EXIT_INTR = 10;
inline constexpr std::uint32_t KVM_EXIT_S390_SIEIC = 13;
inline constexpr std::uint32_t KVM_EXIT_S390_RESET = 14;
inline constexpr std::uint32_t KVM_EXIT_INTERNAL_ERROR = 17;
inline constexpr std::uint32_t KVM_EXIT_S390_UCONTROL = 20;
inline constexpr std::uint32_t KVM_EXIT_S390_TSCH = 22;
inline constexpr std::uint32_t KVM_EXIT_S390_STSI = 25;

inline constexpr std::uint64_t KVM_S390_RESET_POR = 1;
inline constexpr std::uint64_t KVM_S390_RESET_CLEAR = 2;
inline constexpr std::uint64_t KVM_S390_RESET_SUBSYSTEM = 4;
inline constexpr std::uint64_t KVM_S390_RESET_CPU_INIT = 8;
inline constexpr std::uint64_t KVM_S390_RESET_IPL = 16;

// Codes of kvm_run::s390_sieic (arch/s390/include/asm/kvm_host.h).
inline constexpr std::uint8_t ICPT_INST = 0x04;
inline constexpr std::uint8_t ICPT_PROGI = 0x08;
inline constexpr std::uint8_t ICPT_INSTPROGI = 0x0c;
inline constexpr std::uint8_t ICPT_EXTREQ = 0x10;
inline constexpr std::uint8_t ICPT_EXTINT = 0x14;
inline constexpr std::uint8_t ICPT_IOREQ = 0x18;
inline constexpr std::uint8_t ICPT_WAIT = 0x1c;
inline constexpr std::uint8_t ICPT_VALIDITY = 0x20;
inline constexpr std::uint8_t ICPT_SOFT = 0x24;
inline constexpr std::uint8_t ICPT_STOP = 0x28;
inline constexpr std::uint8_t ICPT_OPEREXC = 0x2c;
inline constexpr std::uint8_t ICPT_PARTEXEC = 0x38;
inline constexpr std::uint8_t ICPT_IOINST = 0x40;
inline constexpr std::uint8_t ICPT_KSS = 0x5c;
inline constexpr std::uint8_t ICPT_MCHKREQ = 0x60;
inline constexpr std::uint8_t ICPT_INT_ENABLE = 0x64;
inline constexpr std::uint8_t ICPT_PV_INSTR = 0x68;
inline constexpr std::uint8_t ICPT_PV_NOTIFY = 0x6c;
inline constexpr std::uint8_t ICPT_PV_PREF = 0x70;

// Kinds of KVM_EXIT_DEBUG.
inline constexpr std::uint8_t KVM_HW_BP = 0x01;
inline constexpr std::uint8_t KVM_HW_WP_WRITE = 0x02;
inline constexpr std::uint8_t KVM_SINGLESTEP = 0x04;

struct kvm_run_s390_sieic {
  std::uint8_t icptcode;
  std::uint16_t ipa;
  std::uint32_t ipb;
};
static_assert(offsetof(kvm_run_s390_sieic, ipa) == 2 && offsetof(kvm_run_s390_sieic, ipb) == 4);

struct kvm_run_s390_ucontrol {
  std::uint64_t trans_exc_code;
  std::uint32_t pgm_code;
};

struct kvm_run_s390_tsch {
  std::uint16_t subchannel_id;
  std::uint16_t subchannel_nr;
  std::uint32_t io_int_parm;
  std::uint32_t io_int_word;
  std::uint32_t ipb;
  std::uint8_t dequeued;
};
static_assert(offsetof(kvm_run_s390_tsch, ipb) == 12 &&
              offsetof(kvm_run_s390_tsch, dequeued) == 16);

struct kvm_run_s390_stsi {
  std::uint64_t addr;
  std::uint8_t ar;
  std::uint8_t reserved;
  std::uint8_t fc;
  std::uint8_t sel1;
  std::uint16_t sel2;
};
static_assert(offsetof(kvm_run_s390_stsi, fc) == 10 && offsetof(kvm_run_s390_stsi, sel2) == 12);

struct kvm_debug_exit_arch {
  std::uint64_t addr;
  std::uint8_t type;
  std::uint8_t pad[7];
};

struct kvm_run_debug {
  kvm_debug_exit_arch arch;
};

struct kvm_run_internal {
  std::uint32_t suberror;
  std::uint32_t ndata;
  std::uint64_t data[16];
};

union kvm_run_sync {
  kvm_sync_regs regs;
  std::uint8_t padding[2048];
};

struct kvm_run {
  std::uint8_t request_interrupt_window;
  std::uint8_t immediate_exit;
  std::uint8_t padding1[6];
  std::uint32_t exit_reason;
  std::uint8_t ready_for_interrupt_injection;
  std::uint8_t if_flag;
  std::uint16_t flags;
  std::uint64_t cr8;
  std::uint64_t apic_base;
  std::uint64_t psw_mask;
  std::uint64_t psw_addr;
  union {
    kvm_run_s390_sieic s390_sieic;
    std::uint64_t s390_reset_flags;
    kvm_run_s390_ucontrol s390_ucontrol;
    kvm_run_s390_tsch s390_tsch;
    kvm_run_s390_stsi s390_stsi;
    kvm_run_debug debug;
    kvm_run_internal internal;
    std::uint8_t padding[256];
  };
  std::uint64_t kvm_valid_regs;
  std::uint64_t kvm_dirty_regs;
  kvm_run_sync s;
};
static_assert(sizeof(kvm_run) == 2368);
static_assert(offsetof(kvm_run, immediate_exit) == 1);
static_assert(offsetof(kvm_run, exit_reason) == 8);
static_assert(offsetof(kvm_run, ready_for_interrupt_injection) == 12);
static_assert(offsetof(kvm_run, cr8) == 16);
static_assert(offsetof(kvm_run, psw_mask) == 32 && offsetof(kvm_run, psw_addr) == 40);
static_assert(offsetof(kvm_run, s390_sieic) == 48 && offsetof(kvm_run, padding) == 48);
static_assert(offsetof(kvm_run, kvm_valid_regs) == 304);
static_assert(offsetof(kvm_run, kvm_dirty_regs) == 312);
static_assert(offsetof(kvm_run, s) == 320);

// --- State of a vCPU
// ------------------------------------------------------------------------------

inline constexpr std::uint32_t KVM_MP_STATE_STOPPED = 5;
inline constexpr std::uint32_t KVM_MP_STATE_CHECK_STOP = 6;
inline constexpr std::uint32_t KVM_MP_STATE_OPERATING = 7;
inline constexpr std::uint32_t KVM_MP_STATE_LOAD = 8;  // protected vCPUs only

struct kvm_mp_state {
  std::uint32_t mp_state;
};
static_assert(sizeof(kvm_mp_state) == 4);

inline constexpr std::uint32_t KVM_GUESTDBG_ENABLE = 0x1;
inline constexpr std::uint32_t KVM_GUESTDBG_SINGLESTEP = 0x2;
inline constexpr std::uint32_t KVM_GUESTDBG_USE_HW_BP = 0x10000;

// hw_bp is the address of nr_hw_bp kvm_hw_breakpoint.
struct kvm_guest_debug_arch {
  std::uint32_t nr_hw_bp;
  std::uint32_t pad;
  std::uint64_t hw_bp;
};

struct kvm_hw_breakpoint {
  std::uint64_t addr;
  std::uint64_t phys_addr;
  std::uint64_t len;
  std::uint8_t type;  // KVM_HW_BP or KVM_HW_WP_WRITE
};
static_assert(sizeof(kvm_hw_breakpoint) == 32);

struct kvm_guest_debug {
  std::uint32_t control;
  std::uint32_t pad;
  kvm_guest_debug_arch arch;
};
static_assert(sizeof(kvm_guest_debug) == 24);

// Followed by `len` bytes of signal set.
struct kvm_signal_mask {
  std::uint32_t len;
};
static_assert(sizeof(kvm_signal_mask) == 4);

struct kvm_s390_ucas_mapping {
  std::uint64_t user_addr;
  std::uint64_t vcpu_addr;
  std::uint64_t length;
};
static_assert(sizeof(kvm_s390_ucas_mapping) == 24);

// --- Memory
// ---------------------------------------------------------------------------------------

inline constexpr std::uint32_t KVM_MEM_LOG_DIRTY_PAGES = 1;
inline constexpr std::uint32_t KVM_MEM_READONLY = 2;  // not supported on s390x

struct kvm_userspace_memory_region {
  std::uint32_t slot;
  std::uint32_t flags;
  std::uint64_t guest_phys_addr;
  std::uint64_t memory_size;
  std::uint64_t userspace_addr;
};
static_assert(sizeof(kvm_userspace_memory_region) == 32);
static_assert(offsetof(kvm_userspace_memory_region, userspace_addr) == 24);

struct kvm_userspace_memory_region2 {
  std::uint32_t slot;
  std::uint32_t flags;
  std::uint64_t guest_phys_addr;
  std::uint64_t memory_size;
  std::uint64_t userspace_addr;
  std::uint64_t guest_memfd_offset;
  std::uint32_t guest_memfd;
  std::uint32_t pad1;
  std::uint64_t pad2[14];
};
static_assert(sizeof(kvm_userspace_memory_region2) == 160);

struct kvm_dirty_log {
  std::uint32_t slot;
  std::uint32_t padding1;
  std::uint64_t dirty_bitmap;
};
static_assert(sizeof(kvm_dirty_log) == 16);

inline constexpr std::uint32_t KVM_S390_MEMOP_LOGICAL_READ = 0;
inline constexpr std::uint32_t KVM_S390_MEMOP_LOGICAL_WRITE = 1;
inline constexpr std::uint32_t KVM_S390_MEMOP_SIDA_READ = 2;
inline constexpr std::uint32_t KVM_S390_MEMOP_SIDA_WRITE = 3;
inline constexpr std::uint32_t KVM_S390_MEMOP_ABSOLUTE_READ = 4;     // Linux 5.19
inline constexpr std::uint32_t KVM_S390_MEMOP_ABSOLUTE_WRITE = 5;    // Linux 5.19
inline constexpr std::uint32_t KVM_S390_MEMOP_ABSOLUTE_CMPXCHG = 6;  // Linux 6.3

inline constexpr std::uint64_t KVM_S390_MEMOP_F_CHECK_ONLY = 1;
inline constexpr std::uint64_t KVM_S390_MEMOP_F_INJECT_EXCEPTION = 2;
inline constexpr std::uint64_t KVM_S390_MEMOP_F_SKEY_PROTECTION = 4;  // Linux 5.19

struct kvm_s390_mem_op_access {
  std::uint8_t ar;
  std::uint8_t key;
  std::uint8_t pad1[6];
  std::uint64_t old_addr;
};
static_assert(sizeof(kvm_s390_mem_op_access) == 16);

struct kvm_s390_mem_op {
  std::uint64_t gaddr;
  std::uint64_t flags;
  std::uint32_t size;
  std::uint32_t op;
  std::uint64_t buf;
  union {
    kvm_s390_mem_op_access access;
    std::uint32_t sida_offset;
    std::uint8_t reserved[32];
  };
};
static_assert(sizeof(kvm_s390_mem_op) == 64);
static_assert(offsetof(kvm_s390_mem_op, size) == 16 && offsetof(kvm_s390_mem_op, op) == 20);
static_assert(offsetof(kvm_s390_mem_op, buf) == 24 && offsetof(kvm_s390_mem_op, sida_offset) == 32);

struct kvm_s390_skeys {
  std::uint64_t start_gfn;
  std::uint64_t count;
  std::uint64_t skeydata_addr;
  std::uint32_t flags;
  std::uint32_t reserved[9];
};
static_assert(sizeof(kvm_s390_skeys) == 64);
inline constexpr std::uint64_t KVM_S390_SKEYS_MAX = 0x100000;
inline constexpr int KVM_S390_GET_SKEYS_NONE = 1;

struct kvm_s390_cmma_log {
  std::uint64_t start_gfn;
  std::uint32_t count;
  std::uint32_t flags;
  union {
    std::uint64_t remaining;
    std::uint64_t mask;
  };
  std::uint64_t values;
};
static_assert(sizeof(kvm_s390_cmma_log) == 32);
inline constexpr std::uint32_t KVM_S390_CMMA_PEEK = 1;

struct kvm_s390_keyop {  // Linux 7.x
  std::uint64_t guest_addr;
  std::uint8_t key;
  std::uint8_t operation;
  std::uint8_t pad[6];
};
static_assert(sizeof(kvm_s390_keyop) == 16);
inline constexpr std::uint8_t KVM_S390_KEYOP_ISKE = 1;
inline constexpr std::uint8_t KVM_S390_KEYOP_RRBE = 2;
inline constexpr std::uint8_t KVM_S390_KEYOP_SSKE = 3;

// --- Interruptions
// --------------------------------------------------------------------------------

inline constexpr std::uint64_t KVM_S390_SIGP_STOP = 0xfffe0000;
inline constexpr std::uint64_t KVM_S390_PROGRAM_INT = 0xfffe0001;
inline constexpr std::uint64_t KVM_S390_SIGP_SET_PREFIX = 0xfffe0002;
inline constexpr std::uint64_t KVM_S390_RESTART = 0xfffe0003;
inline constexpr std::uint64_t KVM_S390_INT_PFAULT_INIT = 0xfffe0004;
inline constexpr std::uint64_t KVM_S390_INT_PFAULT_DONE = 0xfffe0005;
inline constexpr std::uint64_t KVM_S390_MCHK = 0xfffe1000;
inline constexpr std::uint64_t KVM_S390_INT_CLOCK_COMP = 0xffff1004;
inline constexpr std::uint64_t KVM_S390_INT_CPU_TIMER = 0xffff1005;
inline constexpr std::uint64_t KVM_S390_INT_VIRTIO = 0xffff2603;
inline constexpr std::uint64_t KVM_S390_INT_SERVICE = 0xffff2401;
inline constexpr std::uint64_t KVM_S390_INT_EMERGENCY = 0xffff1201;
inline constexpr std::uint64_t KVM_S390_INT_EXTERNAL_CALL = 0xffff1202;
inline constexpr std::uint64_t KVM_S390_INT_IO_MIN = 0x00000000;
inline constexpr std::uint64_t KVM_S390_INT_IO_MAX = 0xfffdffff;
inline constexpr std::uint64_t KVM_S390_INT_IO_AI_MASK = 0x04000000;

// The type of an I/O interruption.
constexpr std::uint64_t KVM_S390_INT_IO(bool ai, unsigned cssid, unsigned ssid, unsigned schid) {
  return std::uint64_t{schid} | std::uint64_t{ssid} << 16 | std::uint64_t{cssid} << 18 |
         (ai ? KVM_S390_INT_IO_AI_MASK : 0);
}

inline constexpr std::uint32_t KVM_S390_STOP_FLAG_STORE_STATUS = 1;
inline constexpr std::uint8_t KVM_S390_PGM_FLAGS_ILC_VALID = 0x01;
inline constexpr std::uint8_t KVM_S390_PGM_FLAGS_ILC_MASK = 0x06;
inline constexpr std::uint8_t KVM_S390_PGM_FLAGS_NO_REWIND = 0x08;

struct kvm_s390_interrupt {
  std::uint32_t type;
  std::uint32_t parm;
  std::uint64_t parm64;
};
static_assert(sizeof(kvm_s390_interrupt) == 16);

struct kvm_s390_io_info {
  std::uint16_t subchannel_id;
  std::uint16_t subchannel_nr;
  std::uint32_t io_int_parm;
  std::uint32_t io_int_word;
};
static_assert(sizeof(kvm_s390_io_info) == 12);

struct kvm_s390_ext_info {
  std::uint32_t ext_params;
  std::uint32_t pad;
  std::uint64_t ext_params2;
};
static_assert(sizeof(kvm_s390_ext_info) == 16);

struct kvm_s390_pgm_info {
  std::uint64_t trans_exc_code;
  std::uint64_t mon_code;
  std::uint64_t per_address;
  std::uint32_t data_exc_code;
  std::uint16_t code;
  std::uint16_t mon_class_nr;
  std::uint8_t per_code;
  std::uint8_t per_atmid;
  std::uint8_t exc_access_id;
  std::uint8_t per_access_id;
  std::uint8_t op_access_id;
  std::uint8_t flags;
  std::uint8_t pad[2];
};
static_assert(sizeof(kvm_s390_pgm_info) == 40 && offsetof(kvm_s390_pgm_info, code) == 28);
static_assert(offsetof(kvm_s390_pgm_info, flags) == 37);

struct kvm_s390_prefix_info {
  std::uint32_t address;
};

struct kvm_s390_extcall_info {
  std::uint16_t code;
};

struct kvm_s390_emerg_info {
  std::uint16_t code;
};

struct kvm_s390_stop_info {
  std::uint32_t flags;
};

struct kvm_s390_mchk_info {
  std::uint64_t cr14;
  std::uint64_t mcic;
  std::uint64_t failing_storage_address;
  std::uint32_t ext_damage_code;
  std::uint32_t pad;
  std::uint8_t fixed_logout[16];
};
static_assert(sizeof(kvm_s390_mchk_info) == 48);

union kvm_s390_irq_payload {
  kvm_s390_io_info io;
  kvm_s390_ext_info ext;
  kvm_s390_pgm_info pgm;
  kvm_s390_emerg_info emerg;
  kvm_s390_extcall_info extcall;
  kvm_s390_prefix_info prefix;
  kvm_s390_stop_info stop;
  kvm_s390_mchk_info mchk;
  std::uint8_t reserved[64];
};

struct kvm_s390_irq {
  std::uint64_t type;
  kvm_s390_irq_payload u;
};
static_assert(sizeof(kvm_s390_irq) == 72 && offsetof(kvm_s390_irq, u) == 8);

struct kvm_s390_irq_state {
  std::uint64_t buf;
  std::uint32_t flags;
  std::uint32_t len;
  std::uint32_t reserved[4];
};
static_assert(sizeof(kvm_s390_irq_state) == 32 && offsetof(kvm_s390_irq_state, len) == 12);
inline constexpr std::uint32_t KVM_S390_MAX_LOCAL_IRQS = 287;  // per vCPU, in one irq state

inline constexpr std::uint32_t KVM_IRQ_ROUTING_S390_ADAPTER = 3;

struct kvm_irq_routing_s390_adapter {
  std::uint64_t ind_addr;
  std::uint64_t summary_addr;
  std::uint64_t ind_offset;
  std::uint32_t summary_offset;
  std::uint32_t adapter_id;
};
static_assert(sizeof(kvm_irq_routing_s390_adapter) == 32);

union kvm_irq_routing_target {
  kvm_irq_routing_s390_adapter adapter;
  std::uint32_t pad[8];
};

struct kvm_irq_routing_entry {
  std::uint32_t gsi;
  std::uint32_t type;
  std::uint32_t flags;
  std::uint32_t pad;
  kvm_irq_routing_target u;
};
static_assert(sizeof(kvm_irq_routing_entry) == 48 && offsetof(kvm_irq_routing_entry, u) == 16);

// Followed by `nr` entries.
struct kvm_irq_routing {
  std::uint32_t nr;
  std::uint32_t flags;
};
static_assert(sizeof(kvm_irq_routing) == 8);

inline constexpr std::uint32_t KVM_IRQFD_FLAG_DEASSIGN = 1;
inline constexpr std::uint32_t KVM_IRQFD_FLAG_RESAMPLE = 2;

struct kvm_irqfd {
  std::uint32_t fd;
  std::uint32_t gsi;
  std::uint32_t flags;
  std::uint32_t resamplefd;
  std::uint8_t pad[16];
};
static_assert(sizeof(kvm_irqfd) == 32);

inline constexpr std::uint32_t KVM_IOEVENTFD_FLAG_DATAMATCH = 1;
inline constexpr std::uint32_t KVM_IOEVENTFD_FLAG_DEASSIGN = 4;
inline constexpr std::uint32_t KVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY = 8;

struct kvm_ioeventfd {
  std::uint64_t datamatch;
  std::uint64_t addr;
  std::uint32_t len;
  std::int32_t fd;
  std::uint32_t flags;
  std::uint8_t pad[36];
};
static_assert(sizeof(kvm_ioeventfd) == 64 && offsetof(kvm_ioeventfd, flags) == 24);

// --- Devices and attributes
// -----------------------------------------------------------------------

inline constexpr std::uint32_t KVM_DEV_TYPE_FLIC = 6;
inline constexpr std::uint32_t KVM_CREATE_DEVICE_TEST = 1;

struct kvm_create_device {
  std::uint32_t type;
  std::uint32_t fd;
  std::uint32_t flags;
};
static_assert(sizeof(kvm_create_device) == 12);

struct kvm_device_attr {
  std::uint32_t flags;
  std::uint32_t group;
  std::uint64_t attr;
  std::uint64_t addr;
};
static_assert(sizeof(kvm_device_attr) == 24 && offsetof(kvm_device_attr, addr) == 16);

// Groups of the floating interrupt controller.
inline constexpr std::uint32_t KVM_DEV_FLIC_GET_ALL_IRQS = 1;
inline constexpr std::uint32_t KVM_DEV_FLIC_ENQUEUE = 2;
inline constexpr std::uint32_t KVM_DEV_FLIC_CLEAR_IRQS = 3;
inline constexpr std::uint32_t KVM_DEV_FLIC_APF_ENABLE = 4;
inline constexpr std::uint32_t KVM_DEV_FLIC_APF_DISABLE_WAIT = 5;
inline constexpr std::uint32_t KVM_DEV_FLIC_ADAPTER_REGISTER = 6;
inline constexpr std::uint32_t KVM_DEV_FLIC_ADAPTER_MODIFY = 7;
inline constexpr std::uint32_t KVM_DEV_FLIC_CLEAR_IO_IRQ = 8;
inline constexpr std::uint32_t KVM_DEV_FLIC_AISM = 9;
inline constexpr std::uint32_t KVM_DEV_FLIC_AIRQ_INJECT = 10;
inline constexpr std::uint32_t KVM_DEV_FLIC_AISM_ALL = 11;

inline constexpr std::uint64_t KVM_S390_MAX_FLOAT_IRQS = 266250;
inline constexpr std::uint64_t KVM_S390_FLIC_MAX_BUFFER = 0x2000000;
inline constexpr std::uint32_t MAX_S390_IO_ADAPTERS = 64;

inline constexpr std::uint8_t KVM_S390_ADAPTER_SUPPRESSIBLE = 1;
inline constexpr std::uint8_t KVM_S390_IO_ADAPTER_MASK = 1;
inline constexpr std::uint8_t KVM_S390_IO_ADAPTER_MAP = 2;
inline constexpr std::uint8_t KVM_S390_IO_ADAPTER_UNMAP = 3;

struct kvm_s390_io_adapter {
  std::uint32_t id;
  std::uint8_t isc;
  std::uint8_t maskable;
  std::uint8_t swap;
  std::uint8_t flags;
};
static_assert(sizeof(kvm_s390_io_adapter) == 8);

struct kvm_s390_io_adapter_req {
  std::uint32_t id;
  std::uint8_t type;
  std::uint8_t mask;
  std::uint16_t pad0;
  std::uint64_t addr;
};
static_assert(sizeof(kvm_s390_io_adapter_req) == 16);

inline constexpr std::uint16_t KVM_S390_AIS_MODE_ALL = 0;
inline constexpr std::uint16_t KVM_S390_AIS_MODE_SINGLE = 1;

struct kvm_s390_ais_req {
  std::uint8_t isc;
  std::uint16_t mode;
};
static_assert(sizeof(kvm_s390_ais_req) == 4);

struct kvm_s390_ais_all {
  std::uint8_t simm;
  std::uint8_t nimm;
};
static_assert(sizeof(kvm_s390_ais_all) == 2);

// Groups of a VM, and their attributes.
inline constexpr std::uint32_t KVM_S390_VM_MEM_CTRL = 0;
inline constexpr std::uint64_t KVM_S390_VM_MEM_ENABLE_CMMA = 0;
inline constexpr std::uint64_t KVM_S390_VM_MEM_CLR_CMMA = 1;
inline constexpr std::uint64_t KVM_S390_VM_MEM_LIMIT_SIZE = 2;
inline constexpr std::uint64_t KVM_S390_NO_MEM_LIMIT = ~std::uint64_t{0};

inline constexpr std::uint32_t KVM_S390_VM_TOD = 1;
inline constexpr std::uint64_t KVM_S390_VM_TOD_LOW = 0;
inline constexpr std::uint64_t KVM_S390_VM_TOD_HIGH = 1;
inline constexpr std::uint64_t KVM_S390_VM_TOD_EXT = 2;

inline constexpr std::uint32_t KVM_S390_VM_CRYPTO = 2;
inline constexpr std::uint64_t KVM_S390_VM_CRYPTO_ENABLE_AES_KW = 0;
inline constexpr std::uint64_t KVM_S390_VM_CRYPTO_ENABLE_DEA_KW = 1;
inline constexpr std::uint64_t KVM_S390_VM_CRYPTO_DISABLE_AES_KW = 2;
inline constexpr std::uint64_t KVM_S390_VM_CRYPTO_DISABLE_DEA_KW = 3;
inline constexpr std::uint64_t KVM_S390_VM_CRYPTO_ENABLE_APIE = 4;
inline constexpr std::uint64_t KVM_S390_VM_CRYPTO_DISABLE_APIE = 5;

inline constexpr std::uint32_t KVM_S390_VM_CPU_MODEL = 3;
inline constexpr std::uint64_t KVM_S390_VM_CPU_PROCESSOR = 0;
inline constexpr std::uint64_t KVM_S390_VM_CPU_MACHINE = 1;
inline constexpr std::uint64_t KVM_S390_VM_CPU_PROCESSOR_FEAT = 2;
inline constexpr std::uint64_t KVM_S390_VM_CPU_MACHINE_FEAT = 3;
inline constexpr std::uint64_t KVM_S390_VM_CPU_PROCESSOR_SUBFUNC = 4;
inline constexpr std::uint64_t KVM_S390_VM_CPU_MACHINE_SUBFUNC = 5;
inline constexpr std::uint64_t KVM_S390_VM_CPU_PROCESSOR_UV_FEAT_GUEST = 6;  // Linux 6.7
inline constexpr std::uint64_t KVM_S390_VM_CPU_MACHINE_UV_FEAT_GUEST = 7;    // Linux 6.7

inline constexpr std::uint32_t KVM_S390_VM_MIGRATION = 4;
inline constexpr std::uint64_t KVM_S390_VM_MIGRATION_STOP = 0;
inline constexpr std::uint64_t KVM_S390_VM_MIGRATION_START = 1;
inline constexpr std::uint64_t KVM_S390_VM_MIGRATION_STATUS = 2;

inline constexpr std::uint32_t KVM_S390_VM_CPU_TOPOLOGY = 5;

struct kvm_s390_vm_tod_clock {
  std::uint8_t epoch_idx;
  std::uint64_t tod;
};
static_assert(sizeof(kvm_s390_vm_tod_clock) == 16);

struct kvm_s390_vm_cpu_processor {
  std::uint64_t cpuid;
  std::uint16_t ibc;
  std::uint8_t pad[6];
  std::uint64_t fac_list[256];
};
static_assert(sizeof(kvm_s390_vm_cpu_processor) == 2064);

struct kvm_s390_vm_cpu_machine {
  std::uint64_t cpuid;
  std::uint32_t ibc;
  std::uint8_t pad[4];
  std::uint64_t fac_mask[256];
  std::uint64_t fac_list[256];
};
static_assert(sizeof(kvm_s390_vm_cpu_machine) == 4112);
static_assert(offsetof(kvm_s390_vm_cpu_machine, fac_list) == 2064);

inline constexpr unsigned KVM_S390_VM_CPU_FEAT_NR_BITS = 1024;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_ESOP = 0;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_SIEF2 = 1;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_64BSCAO = 2;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_SIIF = 3;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_GPERE = 4;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_GSLS = 5;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_IB = 6;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_CEI = 7;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_IBS = 8;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_SKEY = 9;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_CMMA = 10;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_PFMFI = 11;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_SIGPIF = 12;
inline constexpr unsigned KVM_S390_VM_CPU_FEAT_KSS = 13;

struct kvm_s390_vm_cpu_feat {
  std::uint64_t feat[16];
};
static_assert(sizeof(kvm_s390_vm_cpu_feat) == 128);

struct kvm_s390_vm_cpu_subfunc {
  std::uint8_t plo[32];
  std::uint8_t ptff[16];
  std::uint8_t kmac[16];
  std::uint8_t kmc[16];
  std::uint8_t km[16];
  std::uint8_t kimd[16];
  std::uint8_t klmd[16];
  std::uint8_t pckmo[16];
  std::uint8_t kmctr[16];
  std::uint8_t kmf[16];
  std::uint8_t kmo[16];
  std::uint8_t pcc[16];
  std::uint8_t ppno[16];
  std::uint8_t kma[16];
  std::uint8_t kdsa[16];
  std::uint8_t sortl[32];
  std::uint8_t dfltcc[32];
  std::uint8_t reserved[1728];
};
static_assert(sizeof(kvm_s390_vm_cpu_subfunc) == 2048);
static_assert(offsetof(kvm_s390_vm_cpu_subfunc, sortl) == 256);

struct kvm_s390_vm_cpu_uv_feat {  // Linux 6.7
  std::uint64_t feat;
};
inline constexpr std::uint64_t KVM_S390_VM_CPU_UV_FEAT_AP = 0x0800000000000000;
inline constexpr std::uint64_t KVM_S390_VM_CPU_UV_FEAT_AP_INTR = 0x0400000000000000;

// --- Protected virtualization
// ---------------------------------------------------------------------

inline constexpr std::uint32_t KVM_PV_ENABLE = 0;
inline constexpr std::uint32_t KVM_PV_DISABLE = 1;
inline constexpr std::uint32_t KVM_PV_SET_SEC_PARMS = 2;
inline constexpr std::uint32_t KVM_PV_UNPACK = 3;
inline constexpr std::uint32_t KVM_PV_VERIFY = 4;
inline constexpr std::uint32_t KVM_PV_PREP_RESET = 5;
inline constexpr std::uint32_t KVM_PV_UNSHARE_ALL = 6;
inline constexpr std::uint32_t KVM_PV_INFO = 7;                    // Linux 6.0
inline constexpr std::uint32_t KVM_PV_DUMP = 8;                    // Linux 6.0
inline constexpr std::uint32_t KVM_PV_ASYNC_CLEANUP_PREPARE = 9;   // Linux 6.2
inline constexpr std::uint32_t KVM_PV_ASYNC_CLEANUP_PERFORM = 10;  // Linux 6.2

struct kvm_pv_cmd {
  std::uint32_t cmd;
  std::uint16_t rc;
  std::uint16_t rrc;
  std::uint64_t data;
  std::uint32_t flags;
  std::uint32_t reserved[3];
};
static_assert(sizeof(kvm_pv_cmd) == 32);
static_assert(offsetof(kvm_pv_cmd, rc) == 4 && offsetof(kvm_pv_cmd, rrc) == 6);
static_assert(offsetof(kvm_pv_cmd, data) == 8 && offsetof(kvm_pv_cmd, flags) == 16);

struct kvm_s390_pv_sec_parm {
  std::uint64_t origin;
  std::uint64_t length;
};
static_assert(sizeof(kvm_s390_pv_sec_parm) == 16);
// The longest header that KVM_PV_SET_SEC_PARMS takes (1 MiB from Linux 7.x on).
inline constexpr std::uint64_t KVM_PV_SEC_PARM_MAX_LENGTH = 8192;

struct kvm_s390_pv_unp {
  std::uint64_t addr;
  std::uint64_t size;
  std::uint64_t tweak;
};
static_assert(sizeof(kvm_s390_pv_unp) == 24);

inline constexpr std::uint64_t KVM_PV_DUMP_INIT = 0;
inline constexpr std::uint64_t KVM_PV_DUMP_CONFIG_STOR_STATE = 1;
inline constexpr std::uint64_t KVM_PV_DUMP_COMPLETE = 2;
inline constexpr std::uint64_t KVM_PV_DUMP_CPU = 3;

struct kvm_s390_pv_dmp {
  std::uint64_t subcmd;
  std::uint64_t buff_addr;
  std::uint64_t buff_len;
  std::uint64_t gaddr;
  std::uint64_t reserved[4];
};
static_assert(sizeof(kvm_s390_pv_dmp) == 64);

inline constexpr std::uint32_t KVM_PV_INFO_VM = 0;
inline constexpr std::uint32_t KVM_PV_INFO_DUMP = 1;

struct kvm_s390_pv_info_header {
  std::uint32_t id;
  std::uint32_t len_max;
  std::uint32_t len_written;
  std::uint32_t reserved;
};
static_assert(sizeof(kvm_s390_pv_info_header) == 16);

struct kvm_s390_pv_info_vm {
  std::uint64_t inst_calls_list[4];
  std::uint64_t max_cpus;
  std::uint64_t max_guests;
  std::uint64_t max_guest_addr;
  std::uint64_t feature_indication;
};
static_assert(sizeof(kvm_s390_pv_info_vm) == 64);

struct kvm_s390_pv_info_dump {
  std::uint64_t dump_cpu_buffer_len;
  std::uint64_t dump_config_mem_buffer_per_1m;
  std::uint64_t dump_config_finalize_len;
};
static_assert(sizeof(kvm_s390_pv_info_dump) == 24);

struct kvm_s390_pv_info {
  kvm_s390_pv_info_header header;
  union {
    kvm_s390_pv_info_dump dump;
    kvm_s390_pv_info_vm vm;
  };
};
static_assert(sizeof(kvm_s390_pv_info) == 80);

// Bits of kvm_s390_pv_info_vm::inst_calls_list, counted from the most significant
// (arch/s390/include/asm/uv.h).
inline constexpr unsigned BIT_UVC_CMD_QUI = 0;
inline constexpr unsigned BIT_UVC_CMD_INIT_UV = 1;
inline constexpr unsigned BIT_UVC_CMD_CREATE_SEC_CONF = 2;
inline constexpr unsigned BIT_UVC_CMD_DESTROY_SEC_CONF = 3;
inline constexpr unsigned BIT_UVC_CMD_CREATE_SEC_CPU = 4;
inline constexpr unsigned BIT_UVC_CMD_DESTROY_SEC_CPU = 5;
inline constexpr unsigned BIT_UVC_CMD_CONV_TO_SEC_STOR = 6;
inline constexpr unsigned BIT_UVC_CMD_CONV_FROM_SEC_STOR = 7;
inline constexpr unsigned BIT_UVC_CMD_SET_SHARED_ACCESS = 8;
inline constexpr unsigned BIT_UVC_CMD_REMOVE_SHARED_ACCESS = 9;
inline constexpr unsigned BIT_UVC_CMD_SET_SEC_PARMS = 11;
inline constexpr unsigned BIT_UVC_CMD_DESTR_SEC_STOR = 12;
inline constexpr unsigned BIT_UVC_CMD_UNPACK_IMG = 13;
inline constexpr unsigned BIT_UVC_CMD_VERIFY_IMG = 14;
inline constexpr unsigned BIT_UVC_CMD_CPU_RESET = 15;
inline constexpr unsigned BIT_UVC_CMD_CPU_RESET_INITIAL = 16;
inline constexpr unsigned BIT_UVC_CMD_CPU_SET_STATE = 17;
inline constexpr unsigned BIT_UVC_CMD_PREPARE_RESET = 18;
inline constexpr unsigned BIT_UVC_CMD_CPU_PERFORM_CLEAR_RESET = 19;
inline constexpr unsigned BIT_UVC_CMD_UNSHARE_ALL = 20;
inline constexpr unsigned BIT_UVC_CMD_PIN_PAGE_SHARED = 21;
inline constexpr unsigned BIT_UVC_CMD_UNPIN_PAGE_SHARED = 22;
inline constexpr unsigned BIT_UVC_CMD_DESTROY_SEC_CONF_FAST = 23;
inline constexpr unsigned BIT_UVC_CMD_DUMP_INIT = 24;
inline constexpr unsigned BIT_UVC_CMD_DUMP_CONFIG_STOR_STATE = 25;
inline constexpr unsigned BIT_UVC_CMD_DUMP_CPU = 26;
inline constexpr unsigned BIT_UVC_CMD_DUMP_COMPLETE = 27;
inline constexpr unsigned BIT_UVC_CMD_RETR_ATTEST = 28;
inline constexpr unsigned BIT_UVC_CMD_ADD_SECRET = 29;
inline constexpr unsigned BIT_UVC_CMD_LIST_SECRETS = 30;
inline constexpr unsigned BIT_UVC_CMD_LOCK_SECRETS = 31;

// Bits of kvm_s390_pv_info_vm::feature_indication, counted the same way.
inline constexpr unsigned BIT_UV_FEAT_MISC = 0;
inline constexpr unsigned BIT_UV_FEAT_AIV = 1;
inline constexpr unsigned BIT_UV_FEAT_AP = 4;
inline constexpr unsigned BIT_UV_FEAT_AP_INTR = 5;

}  // namespace lethe::abi

#endif  // LETHE_ACCEL_KVM_S390_ABI_H_
