# An ELF program for `lethe run --kernel`: prints its arguments (text at 0x10480) on the ASCII
# console and ends by stopping its CPU, which powers the guest off.

        .machine "z196"
        .text
        .globl  _start
_start:
        larl    %r1, mask_sccb
        lgfi    %r2, 0x00780005         # write event mask
        bras    %r14, service_call
        larl    %r3, text
        aghi    %r3, text_end - text    # where the arguments go
        lgfi    %r4, 0x10480
        larl    %r5, room_end
1:      llgc    %r0, 0(%r4)
        ltgr    %r0, %r0
        jz      2f
        cgr     %r3, %r5
        jnl     2f
        stc     %r0, 0(%r3)
        aghi    %r3, 1
        aghi    %r4, 1
        j       1b
2:      mvi     0(%r3), 10
        aghi    %r3, 1
        larl    %r1, event
        sgrk    %r5, %r3, %r1
        sth     %r5, 0(%r1)             # length of the event buffer
        aghi    %r5, 8
        larl    %r1, write_sccb
        sth     %r5, 0(%r1)             # length of the control block
        lgfi    %r2, 0x00760005         # write event data
        bras    %r14, service_call
        larl    %r1, address
        stap    0(%r1)
        llgh    %r2, 0(%r1)
        sigp    %r0, %r2, 5             # stop
3:      j       3b

service_call:                           # r2 command, r1 control block (real address)
        .insn   rre, 0xb2200000, %r2, %r1
        brc     2, service_call         # busy
4:      lhi     %r0, 0
        ch      %r0, 6(%r1)             # response code, zero until done
        je      4b
        br      %r14

        .data
        .balign 4096
mask_sccb:
        .short  28, 0
        .long   0
        .short  0, 4
        .long   0, 0x00000040, 0, 0     # receive nothing, send ASCII console events
        .balign 4096
write_sccb:
        .short  0, 0
        .long   0
event:  .short  0
        .byte   0x1a, 0
        .short  0
text:   .ascii  "hello from an ELF program: "
text_end:
        .skip   256
        .balign 2
room_end:
        .skip   8
        .balign 8
address:
        .skip   8
