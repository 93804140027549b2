# Last component of a protected image, and where a protected guest begins (64-bit mode, no DAT): puts
# the decrypted parts where a Linux kernel expects them and starts it. It runs where it lies: all
# moves go to lower addresses, below the components.
#
# The last 64 bytes: kernel, command line, initrd (address and size each, 0 if missing), PSW.

        .equ    kernel_start, 0x10000
        .equ    initrd_parameter, 0x10408
        .equ    command_line_parameter, 0x10480

        .text
        .globl  _start
_start: larl    %r13,arguments
        lg      %r2,0(%r13)             # the kernel, from its start address on
        lg      %r3,8(%r13)
        lgfi    %r4,kernel_start
        agr     %r2,%r4
        sgr     %r3,%r4
        aghi    %r3,255
        srlg    %r3,%r3,8
0:      mvc     0(256,%r4),0(%r2)
        la      %r2,256(%r2)
        la      %r4,256(%r4)
        brctg   %r3,0b

        lg      %r2,16(%r13)            # the command line
        lg      %r3,24(%r13)
        ltgr    %r3,%r3
        jz      1f
        lgfi    %r4,command_line_parameter
0:      mvc     0(1,%r4),0(%r2)
        la      %r2,1(%r2)
        la      %r4,1(%r4)
        brctg   %r3,0b

1:      lgfi    %r4,initrd_parameter
        mvc     0(16,%r4),32(%r13)
        lpswe   48(%r13)

        .balign 8
arguments:
        .quad   0,0,0,0,0,0,0,0
