# An ELF program for two CPUs: says "started" on the ASCII console, starts the second CPU by SIGP
# restart, which then is busy for ever, says "second CPU runs" when it does, and waits. Each restart
# interruption of the waiting CPU is told. Real mode.

        .equ    restart_old_psw, 0x120
        .equ    restart_new_psw, 0x1a0
        .equ    write_event_data, 0x00760005
        .equ    write_event_mask, 0x00780005
        .equ    sigp_restart, 6

        .macro  say text_name
        larl    %r3, \text_name
        lghi    %r4, \text_name\()_end - \text_name
        brasl   %r13, print
        .endm

        .machine "z196"
        .text
        .globl  _start
_start:
        larl    %r1, mask_block
        lgfi    %r2, write_event_mask
        brasl   %r14, service_call
        say     started
        larl    %r1, second_psw
        mvc     restart_new_psw(16,%r0), 0(%r1)
        lghi    %r3, 1
1:      sigp    %r0, %r3, sigp_restart
        brc     2, 1b                   # busy
        larl    %r1, second_runs
2:      llgc    %r2, 0(%r1)
        ltgr    %r2, %r2
        jz      2b
        say     second
        larl    %r1, told_psw
        mvc     restart_new_psw(16,%r0), 0(%r1)
        larl    %r1, wait_psw
        lpswe   0(%r1)

second_cpu:
        larl    %r1, second_runs
        mvi     0(%r1), 1
3:      j       3b

told:
        say     restart
        lpswe   restart_old_psw(%r0)

# r4 bytes at r3; returns by r13.
print:  larl    %r1, data_block
        aghi    %r4, 6
        sth     %r4, 8(%r1)             # length of the event buffer
        aghi    %r4, 8
        sth     %r4, 0(%r1)             # of the control block
        xc      2(6,%r1), 2(%r1)
        mvi     12(%r1), 0              # not yet accepted
        aghi    %r4, -15
        larl    %r5, move
        ex      %r4, 0(%r5)
        lgfi    %r2, write_event_data
        brasl   %r14, service_call
        br      %r13
move:   mvc     14(1,%r1), 0(%r3)

service_call:                           # r2 command, r1 control block (real address)
        .insn   rre, 0xb2200000, %r2, %r1
        brc     2, service_call         # busy
4:      lhi     %r0, 0
        ch      %r0, 6(%r1)             # response code, zero until done
        je      4b
        br      %r14

        .data
        .balign 4096
mask_block:
        .short  28, 0
        .long   0
        .short  0, 4
        .long   0, 0x00000040, 0, 0     # receive nothing, send ASCII console events
        .balign 4096
data_block:
        .skip   8
        .short  0                       # the event buffer
        .byte   0x1a, 0                 # ASCII console
        .short  0
        .skip   64
        .balign 8
second_psw:
        .quad   0x0000000180000000, second_cpu
told_psw:
        .quad   0x0000000180000000, told
wait_psw:
        .quad   0x0202000180000000, 0   # enabled for input/output, of which there is none
started:
        .ascii  "started\n"
started_end:
second: .ascii  "second CPU runs\n"
second_end:
restart:
        .ascii  "restart interruption\n"
restart_end:
second_runs:
        .byte   0
