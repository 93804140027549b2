# Executes cases and stores what became of them. Layout and offsets: record.h.
#
# Absolute addresses below 512 KiB are reached without a base register, so that all sixteen general
# registers belong to the case. At most z10 instructions.

    .machine "z10"
    .set TABLES, 0x200000
    .set PRISTINE_TABLES, 0x100000
    .set TABLE_BYTES, 0xa000
    .set FRAMES, 0x300000
    .set PRISTINE_FRAMES, 0x120000
    .set FRAME_BYTES, 0x8000
    .set FRAME_COUNT, 8
    .set WINDOW, FRAMES + 0x1000 - 512
    .set SECOND_WINDOW, WINDOW + 0x4000
    .set LOW_OPERANDS, 0xf00       # operands may be around 0x1000
    .set LOW_OPERAND_BYTES, 0x500
    .set PROGRAM, 0x10000
    .set HEADER, 0x1000000
    .set CASES, HEADER + 2048
    .set RESULTS, 0x9000000
    .set RECORD_BYTES, 2048
    # of both records
    .set FPR, 128
    .set AR, 256
    .set FPC, 320
    .set STATE_WINDOW, 336
    .set CONTROL, 1360
    # of a case
    .set PSW, 1488
    .set CLOCK_COMPARATOR, 1504
    .set POKE_COUNT, 1516
    .set KEYS, 1520
    .set POKES, 1536
    # of a result
    .set KIND, 1488
    .set PREFIX, 1492
    .set TABLES_SUM, 1496
    .set FRAMES_SUM, 1500
    .set RESULT_KEYS, 1504
    .set RESULT_CLOCK_COMPARATOR, 1512
    .set LOWCORE, 1536
    .set POKED, 1920
    # of storage
    .set CASE_PSW, 0xe00           # where LOAD PSW EXTENDED needs no base register
    .set NEW_PSWS, 0x1a0

    .text
    .globl _start
_start:
    j begin

# Initial program load by a list of files starts in ESA/390.
    .org 0x10
    lhi %r1, 1                     # all CPUs in z/Architecture
    lhi %r2, 0
    lhi %r4, 0
    lr %r3, %r1
    sigp %r2, %r4, 0x12            # set architecture
    sam64

begin:
    lctlg %c0, %c15, own_control(%r0)
    lghi %r2, LOW_OPERANDS         # whatever the machine's start has left
    lgfi %r3, PROGRAM-LOW_OPERANDS
    lghi %r5, 0
    mvcl %r2, %r4
    larl %r1, new_psws
    mvc NEW_PSWS(96), 0(%r1)
    llilh %r2, 2                   # the other prefix areas
    mvc NEW_PSWS(96,%r2), 0(%r1)
    aghi %r2, 0x2000
    mvc NEW_PSWS(96,%r2), 0(%r1)
    lgfi %r13, CASES
    lgfi %r12, RESULTS
    lgfi %r11, HEADER
    lg %r14, 0(%r11)

next_case:
    ltgr %r14, %r14
    jz end
    stmg %r11, %r14, position(%r0)

    # pristine storage
    lgfi %r2, TABLES
    lgfi %r3, TABLE_BYTES
    lgfi %r4, PRISTINE_TABLES
    lgr %r5, %r3
    mvcl %r2, %r4
    lgfi %r2, FRAMES
    lgfi %r3, FRAME_BYTES
    lgfi %r4, PRISTINE_FRAMES
    lgr %r5, %r3
    mvcl %r2, %r4
    lgfi %r2, WINDOW
    mvc 0(256,%r2), STATE_WINDOW(%r13)
    mvc 256(256,%r2), STATE_WINDOW+256(%r13)
    mvc 512(256,%r2), STATE_WINDOW+512(%r13)
    mvc 768(256,%r2), STATE_WINDOW+768(%r13)
    lgfi %r3, SECOND_WINDOW
    mvc 0(256,%r3), 0(%r2)
    mvc 256(256,%r3), 256(%r2)
    mvc 512(256,%r3), 512(%r2)
    mvc 768(256,%r3), 768(%r2)
    lghi %r2, LOW_OPERANDS
    lghi %r3, LOW_OPERAND_BYTES
    lghi %r5, 0
    mvcl %r2, %r4
    llgf %r3, POKE_COUNT(%r13)
    la %r4, POKES(%r13)
    ltgr %r3, %r3
    jz poked
poke:
    lg %r5, 0(%r4)
    mvc 0(8,%r5), 8(%r4)
    la %r4, 16(%r4)
    brctg %r3, poke
poked:
    lgfi %r2, FRAMES
    la %r3, KEYS(%r13)
    lghi %r4, FRAME_COUNT
set_key:
    llgc %r5, 0(%r3)
    sske %r5, %r2
    aghi %r2, 0x1000
    aghi %r3, 1
    brctg %r4, set_key

    xc 0x80(256), 0x80
    xc 0x180(32), 0x180            # up to the new PSWs
    larl %r1, new_psws
    mvc NEW_PSWS(96), 0(%r1)
    ptlb
    tm 15(%r11), 1
    jz loaded
    palb
loaded:
    # registers
    sckc CLOCK_COMPARATOR(%r13)
    larl %r1, far_away
    spt 0(%r1)
    mvc CASE_PSW(16), PSW(%r13)
    lfpc FPC(%r13)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    ld %f\n, FPR+8*\n(%r13)
    .endr
    lam %a0, %a15, AR(%r13)
    larl %r1, in_general
    mvc 0(128,%r1), 0(%r13)
    lctlg %c0, %c15, CONTROL(%r13)
    lmg %r0, %r15, in_general(%r0)
    lpswe CASE_PSW

    .macro ENTRY name, kind
\name:
    stmg %r0, %r15, out_general(%r0)
    lghi %r1, \kind
    j gather
    .endm
    ENTRY on_restart, 1
    ENTRY on_external, 2
    ENTRY on_supervisor_call, 3
    ENTRY on_program, 4
    ENTRY on_machine_check, 5
    ENTRY on_input_output, 6

gather:
    stctg %c0, %c15, out_control(%r0)
    lctlg %c0, %c15, own_control(%r0)
    lmg %r11, %r14, position(%r0)
    st %r1, KIND(%r12)
    mvc LOWCORE(256,%r12), 0x80
    mvc LOWCORE+256(128,%r12), 0x180
    stpx PREFIX(%r12)
    larl %r1, zeros
    spx 0(%r1)
    larl %r1, out_general
    mvc 0(128,%r12), 0(%r1)
    mvc CONTROL(128,%r12), out_control-out_general(%r1)
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    std %f\n, FPR+8*\n(%r12)
    .endr
    stfpc FPC(%r12)
    stam %a0, %a15, AR(%r12)
    stckc RESULT_CLOCK_COMPARATOR(%r12)
    lgfi %r2, FRAMES
    la %r3, RESULT_KEYS(%r12)
    lghi %r4, FRAME_COUNT
get_key:
    lghi %r5, 0
    iske %r5, %r2
    stc %r5, 0(%r3)
    aghi %r2, 0x1000
    aghi %r3, 1
    brctg %r4, get_key
    lgfi %r2, WINDOW
    mvc STATE_WINDOW(256,%r12), 0(%r2)
    mvc STATE_WINDOW+256(256,%r12), 256(%r2)
    mvc STATE_WINDOW+512(256,%r12), 512(%r2)
    mvc STATE_WINDOW+768(256,%r12), 768(%r2)
    lgfi %r2, TABLES
    lgfi %r3, TABLE_BYTES
    lghi %r5, 0
0:  cksm %r5, %r2
    jo 0b
    st %r5, TABLES_SUM(%r12)
    lgfi %r2, FRAMES
    lgfi %r3, FRAME_BYTES
    lghi %r5, 0
0:  cksm %r5, %r2
    jo 0b
    lghi %r2, LOW_OPERANDS
    lghi %r3, LOW_OPERAND_BYTES
0:  cksm %r5, %r2
    jo 0b
    st %r5, FRAMES_SUM(%r12)
    llgf %r3, POKE_COUNT(%r13)
    lghi %r5, 16
    clgr %r3, %r5
    jnh 0f
    lgr %r3, %r5
0:  la %r4, POKES(%r13)
    la %r5, POKED(%r12)
    ltgr %r3, %r3
    jz gathered
look:
    lg %r6, 0(%r4)
    mvc 0(8,%r5), 0(%r6)
    la %r4, 16(%r4)
    la %r5, 8(%r5)
    brctg %r3, look
gathered:
    lg %r1, 16(%r11)
    aghi %r1, 1
    stg %r1, 16(%r11)
    aghi %r13, RECORD_BYTES
    aghi %r12, RECORD_BYTES
    aghi %r14, -1
    j next_case

end:
    larl %r1, disabled_wait
    lpswe 0(%r1)

    .balign 16
new_psws:
    .quad 0x0000000180000000, on_restart
    .quad 0x0000000180000000, on_external
    .quad 0x0000000180000000, on_supervisor_call
    .quad 0x0000000180000000, on_program
    .quad 0x0000000180000000, on_machine_check
    .quad 0x0000000180000000, on_input_output
disabled_wait:
    .quad 0x0002000180000000, 0xe0d
far_away:
    .quad 0x7fffffffffffffff
own_control:
    .quad 0x0000000000040000       # the additional floating-point registers
    .fill 15, 8, 0
zeros:
    .fill 4, 8, 0
position:
    .fill 4, 8, 0                  # header, result, case, how many are left
in_general:
    .fill 16, 8, 0
out_general:
    .fill 16, 8, 0
out_control:
    .fill 16, 8, 0
