# The guest of the fault matrix: a Linux image by its marks only, so that it runs as an ordinary and
# as a protected guest. It does a little of everything a VMM has a part in, and ends itself wherever
# it is told no: in a disabled wait with 0xbad0 and a number as its address.
#
#   prints its text on the ASCII console; asks for SYSTEM INFORMATION; starts CPU 1 and waits until
#   that has stopped itself; takes a program interruption for DIAGNOSE 308 with an unknown subcode;
#   restarts in place (subcode 1), which leads to `again`; prints "again"; then
#   'r' before its text: asks for a reboot (subcode 3); otherwise: stops its CPU, the last one.
#
# Assembled to be at 0x10000. Real mode, prefix 0, two CPUs.

        .equ    restart_new_psw, 0x1a0
        .equ    external_new_psw, 0x1b0
        .equ    program_new_psw, 0x1d0
        .equ    external_parameter, 0x80
        .equ    write_event_data, 0x00760005
        .equ    write_event_mask, 0x00780005
        .equ    done, 0x20                      # response code of a service call
        .equ    attempts, 3

        .machine "z196"
        .text
        .globl  _start
_start: jg      main
        .org    0x8
        .ascii  "S390EP"
        .org    0x430
        .quad   64                              # room for a command line
        .org    0x480
what:   .byte   'p',0                           # what follows is filled in by the test
text:   .skip   62                              # (what larl addresses lies on even addresses)

main:   larl    %r1,crash_psw
        mvc     program_new_psw(16,%r0),0(%r1)
        larl    %r1,second_cpu_psw
        mvc     restart_new_psw(16,%r0),0(%r1)
        brasl   %r14,prepare_service_calls
        larl    %r2,mask_block
        lgfi    %r1,write_event_mask
        brasl   %r14,service_call
        larl    %r8,text
        brasl   %r14,print

        lgfi    %r0,0x30000002                  # the machine and its configurations
        lghi    %r1,2
        larl    %r2,information
        stsi    0(%r2)
        lghi    %r9,1
        jnz     refused

        lghi    %r6,attempts
        lghi    %r9,2
0:      lghi    %r3,1
        sigp    %r0,%r3,6                       # restart
        jz      1f
        brctg   %r6,0b
        j       refused
1:      larl    %r1,started                     # CPU 1 finds nobody busy with it from now on
        mvhi    0(%r1),1
        larl    %r1,ran
2:      lt      %r0,0(%r1)
        jz      2b
3:      sigp    %r0,%r3,1                       # sense
        brc     10,3b                           # operating, or busy

        larl    %r1,expected_psw
        mvc     program_new_psw(16,%r0),0(%r1)
        lghi    %r2,0
        lghi    %r3,0
        lghi    %r4,2
        diag    %r2,%r4,0x308
        lghi    %r9,3
        j       refused
expected:
        larl    %r1,crash_psw
        mvc     program_new_psw(16,%r0),0(%r1)

        larl    %r1,again_psw
        mvc     0(8,%r0),0(%r1)
        lghi    %r4,1
        diag    %r2,%r4,0x308
        lghi    %r9,4
        j       refused

again:  brasl   %r14,prepare_service_calls
        larl    %r8,again_text
        brasl   %r14,print
        larl    %r1,what
        cli     0(%r1),'r'
        jne     stop
        lghi    %r2,0
        lghi    %r3,0
        lghi    %r4,3
        diag    %r2,%r4,0x308
        lghi    %r9,5

refused:                                        # r9: which
        larl    %r1,crash_psw
        lgfi    %r2,0xbad0
        agr     %r2,%r9
        stg     %r2,8(%r1)
        lpswe   0(%r1)

second_cpu:
        larl    %r1,started
0:      lt      %r0,0(%r1)
        jz      0b
        larl    %r1,ran
        mvhi    0(%r1),1
stop:   larl    %r1,address
        stap    0(%r1)
        llgh    %r2,0(%r1)
0:      sigp    %r0,%r2,5                       # stop
        j       0b

prepare_service_calls:
        larl    %r1,service_psw
        mvc     external_new_psw(16,%r0),0(%r1)
        larl    %r1,control0
        stctg   %c0,%c0,0(%r1)
        oi      6(%r1),0x02                     # service-signal subclass
        lctlg   %c0,%c0,0(%r1)
        br      %r14

# Prints the zero-terminated text at r8. Uses r0-r3, r11.
print:  lgr     %r11,%r14
        larl    %r2,write_block
        xc      2(6,%r2),2(%r2)
        la      %r3,14(%r2)
0:      llgc    %r1,0(%r8)
        ltgr    %r1,%r1
        jz      1f
        stc     %r1,0(%r3)
        aghi    %r3,1
        aghi    %r8,1
        j       0b
1:      sgr     %r3,%r2
        sth     %r3,0(%r2)
        aghi    %r3,-8
        sth     %r3,8(%r2)
        lgfi    %r1,write_event_data
        brasl   %r14,service_call
        br      %r11

# Service call r1 with the block at r2; back when its signal came. Uses r3, r9.
service_call:
        .insn   rre,0xb2200000,%r1,%r2
        brc     2,service_call                  # busy
        lghi    %r9,6
        brc     1,refused
await:  larl    %r3,enabled_wait
        lpswe   0(%r3)
interrupted:
        llgf    %r3,external_parameter(%r0)
        nilf    %r3,0xfffffff8
        jz      await                           # of no block
        lghi    %r9,7
        cli     7(%r2),done
        jne     refused
        br      %r14

        .balign 16
service_psw:
        .quad   0x0000000180000000,interrupted
second_cpu_psw:
        .quad   0x0000000180000000,second_cpu
expected_psw:
        .quad   0x0000000180000000,expected
enabled_wait:
        .quad   0x0102000180000000,0
crash_psw:
        .quad   0x0002000180000000,0xbad0
again_psw:                                      # short format
        .long   0x00080001,0x80000000 + again
control0:
        .quad   0
again_text:
        .asciz  "again\n"

        .balign 4096
mask_block:
        .short  28
        .byte   0,0,0,0
        .short  0
        .short  0,4
        .long   0,0x00000040,0,0                # receive nothing, send ASCII console events
        .balign 4096
write_block:
        .short  0
        .byte   0,0,0,0
        .short  0
        .short  0
        .byte   0x1a,0
        .short  0
        .skip   128
        .balign 4096
information:
        .skip   4096

# What both CPUs use while they run, far from code.
address:
        .quad   0
started:
        .long   0
ran:    .long   0
        .balign 4096
