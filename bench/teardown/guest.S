# The guest of `lethe bench teardown`: a Linux image by its marks only, so that it runs as an
# ordinary guest here and elsewhere and can be sealed. It does what its ASCII console is told, one
# line at a time:
#
#   t      touches every page of its memory; a line "touched N MiB" for each 256 MiB
#   w N    works through N times 16 MiB, from where it stopped last; a line "unit K" for each
#   s N    has the work go on at N MiB
#   r      asks for a reboot (DIAGNOSE 308 subcode 3)
#   p      stops its CPU, which powers it off
#
# "ready" says that it waits for a line, "memory N MiB" before the first one how much it found.
# Assembled to be at 0x10000; uses storage below 0x20000 for itself. Real mode, one CPU.

        .equ    page, 0x1000
        .equ    send_block, 0x18000             # service-call control blocks: a page each
        .equ    receive_block, 0x19000
        .equ    line, 0x1a000                   # what was typed
        .equ    line_size, 64
        .equ    input_waits, line + 2 * line_size       # not zero: a signal has said so
        .equ    first_page, 0x20000             # the first one that is nobody's
        .equ    report_shift, 28                # a line for each 256 MiB
        .equ    unit_pages, 0x1000

        .equ    program_new_psw, 0x1d0
        .equ    external_new_psw, 0x1b0
        .equ    external_parameter, 0x80        # of a service signal: its last bit says "events"
        .equ    read_scp_info, 0x00020001
        .equ    write_event_data, 0x00760005
        .equ    read_event_data, 0x00770005
        .equ    write_event_mask, 0x00780005
        .equ    response, 6                     # in a control block
        .equ    done, 0x20
        .equ    event, 8                        # the first event buffer, and in it:
        .equ    event_type, event + 2
        .equ    event_text, event + 6
        .equ    ascii_console, 0x1a

# Registers with one meaning: r8 next page to work on, r9 units done, r10 end of memory, r12 end of
# the text that is to be printed.

        .machine "z196"
        .text
        .globl  _start
_start: jg      main
        .org    0x8
        .ascii  "S390EP"
        .org    0x430
        .quad   896                             # room for a command line
        .org    0x480
        .skip   896

main:   larl    %r1,service_psw
        mvc     external_new_psw(16,%r0),0(%r1)
        larl    %r1,crash_psw
        mvc     program_new_psw(16,%r0),0(%r1)
        larl    %r1,control0
        stctg   %c0,%c0,0(%r1)
        oi      6(%r1),0x02                     # service-signal subclass
        lctlg   %c0,%c0,0(%r1)

        lgfi    %r2,send_block                  # the console: receive and send
        larl    %r1,mask_block
        mvc     0(28,%r2),0(%r1)
        lgfi    %r1,write_event_mask
        brasl   %r14,service_call

        lgfi    %r2,receive_block               # how much memory is there?
        lghi    %r1,page
        sth     %r1,0(%r2)
        xc      2(6,%r2),2(%r2)
        lgfi    %r1,read_scp_info
        brasl   %r14,service_call
        lgfi    %r2,receive_block
        llgh    %r10,8(%r2)                     # increments: 16 bits, or 64
        ltgr    %r10,%r10
        jnz     0f
        lg      %r10,104(%r2)
0:      llgc    %r1,10(%r2)                     # MiB each: 8 bits, or 32
        ltgr    %r1,%r1
        jnz     0f
        llgf    %r1,100(%r2)
0:      msgr    %r10,%r1
        sllg    %r10,%r10,20

        lgfi    %r8,first_page
        lghi    %r9,0
        brasl   %r14,begin_text
        larl    %r2,memory_text
        brasl   %r14,add_text
        brasl   %r14,add_mebibytes_r10
        brasl   %r14,print

command:
        brasl   %r14,begin_text
        larl    %r2,ready_text
        brasl   %r14,add_text
        brasl   %r14,print
        j       read_line

# The line is there.
execute:
        lgfi    %r2,line
        cli     0(%r2),'t'
        je      touch
        cli     0(%r2),'w'
        je      work
        cli     0(%r2),'s'
        je      skip
        cli     0(%r2),'r'
        je      reboot
        cli     0(%r2),'p'
        je      power_off
        j       command

# Touches every page. r4 page, r5 the next one to report at.
touch:  lgfi    %r4,first_page
        llihf   %r5,0
        oilf    %r5,1 << report_shift
        lghi    %r6,page
0:      cgr     %r4,%r10
        jnl     2f
        cgr     %r4,%r5
        jl      1f
        lgr     %r7,%r4
        brasl   %r14,say_touched
        agfi    %r5,1 << report_shift
1:      mvi     0(%r4),0xff
        agr     %r4,%r6
        j       0b
2:      lgr     %r7,%r10
        brasl   %r14,say_touched
        j       command

# "touched N MiB" for r7 bytes. Keeps r4-r7.
say_touched:
        lgr     %r13,%r14
        brasl   %r14,begin_text
        larl    %r2,touched_text
        brasl   %r14,add_text
        lgr     %r3,%r7
        brasl   %r14,add_mebibytes
        brasl   %r14,print
        br      %r13

# r7 units: writes to each page and adds up a part of it.
work:   brasl   %r14,read_number
1:      ltgr    %r7,%r7
        jz      command
        lgfi    %r5,unit_pages
2:      cgr     %r8,%r10
        jl      3f
        lgfi    %r8,first_page
3:      stg     %r9,0(%r8)
        lgr     %r4,%r8
        lghi    %r6,64
4:      alg     %r0,0(%r4)
        la      %r4,8(%r4)
        brctg   %r6,4b
        aghi    %r8,page
        brctg   %r5,2b
        aghi    %r9,1
        brasl   %r14,begin_text
        larl    %r2,unit_text
        brasl   %r14,add_text
        lgr     %r3,%r9
        brasl   %r14,add_number
        brasl   %r14,end_line
        brasl   %r14,print
        aghi    %r7,-1
        j       1b

skip:   brasl   %r14,read_number
        sllg    %r8,%r7,20
        cgfi    %r8,first_page
        jnl     command
        lgfi    %r8,first_page
        j       command

reboot: lghi    %r4,3
        lghi    %r2,0
        lghi    %r3,0
        diag    %r2,%r4,0x308
        j       command                         # refused

power_off:
        larl    %r1,address
        stap    0(%r1)
        llgh    %r2,0(%r1)
0:      sigp    %r0,%r2,5                       # stop
        j       0b

# Reads a line, however many pieces it comes in. r4: where the next character goes.
read_line:
        lgfi    %r4,line
again:  lgfi    %r2,receive_block
        xc      0(event,%r2),0(%r2)
        lghi    %r1,page
        sth     %r1,0(%r2)
        mvi     5(%r2),0x80                     # the answer may be shorter
        lgfi    %r1,input_waits
        mvi     0(%r1),0
        lgfi    %r1,read_event_data
        brasl   %r14,service_call
        cli     response+1(%r2),done
        je      0f
        # Nothing was typed until the call; after it, its own signal may have said so.
        lgfi    %r1,input_waits
        cli     0(%r1),0
        jne     again
        brasl   %r14,await_signal
        j       again
0:      cli     event_type(%r2),ascii_console
        jne     again
        llgh    %r5,event(%r2)
        aghi    %r5,-7                          # the header, and a byte that is no character
        jnp     again
1:      llgc    %r1,event_text+1(%r2)
        chi     %r1,10
        je      execute
        stc     %r1,0(%r4)
        mvi     1(%r4),0
        aghi    %r4,1
        cgfi    %r4,line + line_size            # too long: its end is written over
        jl      2f
        aghi    %r4,-1
2:      aghi    %r2,1
        brctg   %r5,1b
        j       again

# The decimal number behind a command's letter, to r7.
read_number:
        lgfi    %r2,line + 1
        lghi    %r7,0
0:      llgc    %r1,0(%r2)
        aghi    %r2,1
        chi     %r1,' '
        je      0b
        aghi    %r1,-'0'
        jm      1f
        chi     %r1,9
        jh      1f
        mghi    %r7,10
        agr     %r7,%r1
        cgfi    %r2,line + line_size
        jl      0b
1:      br      %r14

begin_text:
        lgfi    %r12,send_block + event_text
        br      %r14

# Adds the zero-terminated text at r2. Uses r0.
add_text:
        llgc    %r0,0(%r2)
        ltgr    %r0,%r0
        jz      0f
        stc     %r0,0(%r12)
        aghi    %r12,1
        aghi    %r2,1
        j       add_text
0:      br      %r14

# Adds r10 (or r3) bytes as MiB, and the end of the line. Uses r0-r3, r11.
add_mebibytes_r10:
        lgr     %r3,%r10
add_mebibytes:
        lgr     %r11,%r14
        srlg    %r3,%r3,20
        brasl   %r14,add_number
        larl    %r2,mebibyte_text
        brasl   %r14,add_text
        br      %r11

end_line:
        mvi     0(%r12),10
        aghi    %r12,1
        br      %r14

# Adds r3 in decimal. Uses r0-r3.
add_number:
        larl    %r1,digits_end
0:      lghi    %r2,0
        lghi    %r0,10
        dlgr    %r2,%r0                         # quotient to r3, remainder to r2
        aghi    %r1,-1
        aghi    %r2,'0'
        stc     %r2,0(%r1)
        ltgr    %r3,%r3
        jnz     0b
        larl    %r2,digits_end
1:      mvc     0(1,%r12),0(%r1)
        aghi    %r12,1
        aghi    %r1,1
        cgr     %r1,%r2
        jl      1b
        br      %r14

# Sends the text up to r12. Uses r0-r3, r11.
print:  lgr     %r11,%r14
        lgfi    %r2,send_block
        xc      0(event_text,%r2),0(%r2)
        lgr     %r1,%r12
        sgr     %r1,%r2
        sth     %r1,0(%r2)
        aghi    %r1,-event
        sth     %r1,event(%r2)
        mvi     event_type(%r2),ascii_console
        lgfi    %r1,write_event_data
        brasl   %r14,service_call
        br      %r11

# Service call r1 with the block at r2; back when its signal came. Uses r0, r3.
service_call:
        lgr     %r0,%r14
0:      .insn   rre,0xb2200000,%r1,%r2
        brc     2,0b                            # busy
1:      brasl   %r14,await_signal
        nilf    %r3,0xfffffff8
        jz      1b                              # it named no block: events only
        lgr     %r14,%r0
        br      %r14

# Until a service signal came; r3: its parameter.
await_signal:
        larl    %r3,enabled_wait
        lpswe   0(%r3)
interrupted:
        lgfi    %r3,input_waits
        oc      0(1,%r3),external_parameter+3(%r0)
        ni      0(%r3),1
        llgf    %r3,external_parameter(%r0)
        br      %r14

        .balign 16
service_psw:
        .quad   0x0000000180000000,interrupted
enabled_wait:
        .quad   0x0102000180000000,0
crash_psw:
        .quad   0x0002000180000000,0xbad
control0:
        .quad   0
address:
        .quad   0
mask_block:
        .short  28
        .byte   0,0,0,0
        .short  0
        .short  0,4
        .long   0x00000040,0x00000040,0,0
        .skip   20
digits_end:
        .balign 2
memory_text:
        .asciz  "memory "
        .balign 2
ready_text:
        .asciz  "ready\n"
        .balign 2
touched_text:
        .asciz  "touched "
        .balign 2
mebibyte_text:
        .asciz  " MiB\n"
        .balign 2
unit_text:
        .asciz  "unit "
