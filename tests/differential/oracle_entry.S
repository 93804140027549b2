# Loads the state of a case, enters its stub, and gathers the state after it.
#
# The offsets are those of State in record.h. LARL, LGRL and STGRL need no base register and leave
# the condition code alone, so that a stub may use all sixteen general registers.

    .machine "z15"
    .set FPR, 128
    .set AR, 256
    .set FPC, 320
    .set CONDITION, 324

    .text

# void RunStub(const void* stub)
    .globl RunStub
    .type RunStub, @function
RunStub:
    larl %r1, saved
    stmg %r6, %r15, 0(%r1)
    std %f8, 80(%r1)
    std %f9, 88(%r1)
    std %f10, 96(%r1)
    std %f11, 104(%r1)
    std %f12, 112(%r1)
    std %f13, 120(%r1)
    std %f14, 128(%r1)
    std %f15, 136(%r1)
    stfpc 144(%r1)
    larl %r1, g_in
    lfpc FPC(%r1)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    ld %f\n, FPR+8*\n(%r1)
    .endr
    lam %a2, %a15, AR+8(%r1)
    l %r0, CONDITION(%r1)
    spm %r0
    br %r2

# A stub begins with a copy of these two instructions (the first one's distance adjusted).
    .macro LEAVE outcome
    stgrl %r14, g_out+8*14
    larl %r14, g_out
    stmg %r0, %r13, 0(%r14)
    stg %r15, 8*15(%r14)
    lghi %r0, \outcome
    j Gather
    .endm

    .globl FellThrough
FellThrough:
    LEAVE 0
    .globl Branched
Branched:
    LEAVE 1
    .globl Trapped
Trapped:
    LEAVE 2

Gather:
    strl %r0, g_outcome
    ipm %r0
    nilh %r0, 0x3f00
    nill %r0, 0
    st %r0, CONDITION(%r14)
    stfpc FPC(%r14)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    std %f\n, FPR+8*\n(%r14)
    .endr
    stam %a2, %a15, AR+8(%r14)
    larl %r1, saved
    lfpc 144(%r1)
    ld %f8, 80(%r1)
    ld %f9, 88(%r1)
    ld %f10, 96(%r1)
    ld %f11, 104(%r1)
    ld %f12, 112(%r1)
    ld %f13, 120(%r1)
    ld %f14, 128(%r1)
    ld %f15, 136(%r1)
    lmg %r6, %r15, 0(%r1)
    br %r14

    .bss
    .balign 16
saved:
    .skip 160

    .section .note.GNU-stack, "", @progbits
