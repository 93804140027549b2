# First stage of a protected image: runs as an ordinary guest at 0x10000, hands the IPL parameter
# block to the host (DIAGNOSE 308 subcode 8) and asks to be protected (subcode 10), which does not
# come back. What goes wrong is said on the SCLP line-mode console; then a disabled wait with the
# message's number in its address.
#
# The last 24 bytes say where the image's parts are: header offset, header size, offset of the
# parameter block, relative to the address of these 24 bytes.

        .equ    ipib_header_address, 0x78
        .equ    ipib_header_size, 0x80
        .equ    external_code, 0x86
        .equ    external_new_psw, 0x1b0
        .equ    service_signal, 0x2401
        .equ    good, 1

        .text
        .globl  _start
_start: jg      main                    # 0x10000: boot loaders
        .org    0x1000
main:   lhi     %r1,1                   # 0x11000: the PSW at address 0
        sigp    %r1,%r0,0x12            # z/Architecture mode, if it is not that already
        sam64
        larl    %r13,arguments
        lg      %r10,16(%r13)
        agr     %r10,%r13               # parameter block
        lg      %r1,0(%r13)
        agr     %r1,%r13
        stg     %r1,ipib_header_address(%r10)
        lg      %r1,8(%r13)
        stg     %r1,ipib_header_size(%r10)

        larl    %r2,facilities
        lghi    %r0,3
        stfle   0(%r2)
        larl    %r9,no_facility
        tm      20(%r2),0x40            # facility 161
        jz      fail

        lghi    %r4,8
        lgr     %r2,%r10
        lghi    %r3,0
        diag    %r2,%r4,0x308
        larl    %r9,block_refused
        cghi    %r3,good
        jne     fail_with_code

        lghi    %r4,10
        lghi    %r2,0
        lghi    %r3,0
        diag    %r2,%r4,0x308           # comes back only when it failed
        larl    %r9,start_failed
        # code: command, reason, return code, 0x0a02: is it "no key slot for this host"?
        srlg    %r1,%r3,16
        llghr   %r1,%r1
        chi     %r1,0x108
        jne     fail_with_code
        larl    %r9,wrong_host

# r9: message (its number first), r3: code to be shown
fail_with_code:
        larl    %r2,digits
        larl    %r5,hexadecimal
        lghi    %r1,16
0:      rllg    %r3,%r3,4
        lghi    %r4,15
        ngr     %r4,%r3
        ic      %r4,0(%r4,%r5)
        stc     %r4,0(%r2)
        aghi    %r2,1
        brctg   %r1,0b
        la      %r2,1(%r9)
        brasl   %r14,print
        larl    %r2,code_text
        brasl   %r14,print
        j       stop
fail:   la      %r2,1(%r9)
        brasl   %r14,print
stop:   larl    %r1,disabled_wait
        llgc    %r2,0(%r9)
        iilh    %r2,0x5e                # 0x005e00nn
        stg     %r2,8(%r1)
        lpswe   0(%r1)

# Prints the zero-terminated ASCII text at r2 as one line. Uses r0-r8, r11, r12.
print:  lgr     %r12,%r14
        lgr     %r8,%r2
        larl    %r2,mask_block          # ask for the right to send messages
        xc      6(2,%r2),6(%r2)
        llilh   %r1,0x0078
        oill    %r1,0x0005
        brasl   %r14,service_call

        larl    %r4,text
        larl    %r5,to_ebcdic
        lghi    %r6,0
0:      llgc    %r1,0(%r6,%r8)
        ltgr    %r1,%r1
        jz      1f
        aghi    %r1,-32
        ic      %r1,0(%r1,%r5)
        stc     %r1,0(%r6,%r4)
        aghi    %r6,1
        j       0b
1:      larl    %r2,message_block
        aghi    %r6,text_object_size
        sth     %r6,text_object-message_block(%r2)
        aghi    %r6,text_object-message_data
        sth     %r6,message_data-message_block(%r2)
        aghi    %r6,message_data-event
        sth     %r6,event-message_block(%r2)
        aghi    %r6,event-message_block
        sth     %r6,0(%r2)
        xc      6(2,%r2),6(%r2)
        mvi     event+3-message_block(%r2),0
        llilh   %r1,0x0076
        oill    %r1,0x0005
        brasl   %r14,service_call
        br      %r12

# Service call r1 with the block at r2; back when its interruption has come. Uses r0, r3, r11.
service_call:
        larl    %r3,service_psw
        mvc     external_new_psw(16,%r0),0(%r3)
        larl    %r3,control0
        stctg   %c0,%c0,0(%r3)
        oi      6(%r3),0x02             # service-signal subclass
        lctlg   %c0,%c0,0(%r3)
0:      .insn   rre,0xb2200000,%r1,%r2
        brc     2,0b                    # busy
        bcr     1,%r14                  # not operational: nobody listens
wait:   larl    %r3,enabled_wait
        lpswe   0(%r3)
interrupted:
        lghi    %r0,0
        icm     %r0,3,external_code
        chi     %r0,service_signal
        jne     wait
        br      %r14

        .balign 16
service_psw:
        .quad   0x0000000180000000,interrupted
enabled_wait:
        .quad   0x0102000180000000,0
disabled_wait:
        .quad   0x0002000180000000,0
control0:
        .quad   0
facilities:
        .quad   0,0,0,0

# What larl addresses lies on even addresses.
hexadecimal:
        .ascii  "0123456789abcdef"
        .balign 2
no_facility:
        .byte   1
        .asciz  "Secure start: this machine lacks the unpack facility; it cannot run protected guests."
        .balign 2
block_refused:
        .byte   2
        .asciz  "Secure start: the host refuses the IPL parameter block; the image may be damaged."
        .balign 2
start_failed:
        .byte   3
        .asciz  "Secure start: the host could not start this image as a protected guest."
        .balign 2
wrong_host:
        .byte   4
        .asciz  "Secure start: this image was not made for this host (no key slot fits)."
        .balign 2
code_text:
        .ascii  "Secure start: DIAGNOSE 308 code 0x"   # an even number of characters
digits: .skip   16
        .byte   0
        .balign 2
to_ebcdic:                              # from 0x20 on, code page 037
        .byte   0x40,0x5a,0x7f,0x7b,0x5b,0x6c,0x50,0x7d,0x4d,0x5d,0x5c,0x4e,0x6b,0x60,0x4b,0x61
        .byte   0xf0,0xf1,0xf2,0xf3,0xf4,0xf5,0xf6,0xf7,0xf8,0xf9,0x7a,0x5e,0x4c,0x7e,0x6e,0x6f
        .byte   0x7c,0xc1,0xc2,0xc3,0xc4,0xc5,0xc6,0xc7,0xc8,0xc9,0xd1,0xd2,0xd3,0xd4,0xd5,0xd6
        .byte   0xd7,0xd8,0xd9,0xe2,0xe3,0xe4,0xe5,0xe6,0xe7,0xe8,0xe9,0xba,0xe0,0xbb,0xb0,0x6d
        .byte   0x79,0x81,0x82,0x83,0x84,0x85,0x86,0x87,0x88,0x89,0x91,0x92,0x93,0x94,0x95,0x96
        .byte   0x97,0x98,0x99,0xa2,0xa3,0xa4,0xa5,0xa6,0xa7,0xa8,0xa9,0xc0,0x4f,0xd0,0xa1,0x6f

# Write event mask: receive nothing, send messages.
        .balign 8
mask_block:
        .short  28
        .byte   0,0,0,0
        .short  0
        .short  0,4
        .long   0,0x40000000,0,0

# Write event data: one event of type message, with a general object and one text object.
        .balign 8
message_block:
        .short  0
        .byte   0,0,0,0
        .short  0
event:  .short  0
        .byte   2,0
        .short  0
message_data:
        .short  0,1
        .long   0xd4c4c240,1            # "MDB "
        .short  56,1                    # general object
        .skip   52
text_object:
        .short  0,4
        .short  0x1000                  # the line ends here
        .byte   0,0,0,0
        .equ    text_object_size, . - text_object
text:   .skip   120

        .balign 8
arguments:
        .quad   0,0,0
