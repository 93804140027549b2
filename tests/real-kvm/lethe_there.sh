#!/bin/sh
# Runs guests with the lethe program and says of each step whether it did what it should. Made for
# tools/real-kvm --shell; any host will do.
#
# Wants in the directory of this script or in $PLACE: lethe, qmp_talk, hello.elf, guest.image; and for a
# guest that is a whole Linux: linux, initrd.gz. $ACCEL: kvm (default) or emulated.
#
# Prints 'passed STEP', 'failed STEP: WHY' or 'absent STEP: WHY', a line each.

PLACE=${PLACE:-/lethe}
ACCEL=${ACCEL:-kvm}
PATIENCE=${PATIENCE:-600}    # seconds, for what should take one
[ ! -x /bin/busybox ] || [ -e /bin/sed ] || /bin/busybox --install -s /bin
PATH=$PLACE:$PATH
work=$(mktemp -d)
cd "$work" || exit 1

passed() { echo "passed $step"; }
failed() {
  echo "failed $step: $*"
  tail -n 12 out log talk 2>/dev/null | sed 's/^/  /'
}
absent() { echo "absent $step: $*"; }

# has FILE TEXT: FILE has a line with TEXT.    count FILE TEXT: how many.
has() { grep -q -e "$2" "$1" 2>/dev/null; }
count() { grep -c -e "$2" "$1" 2>/dev/null; }

# until_true COMMAND...: waits until it holds; false when patience is at its end, or the guest's.
until_true() {
  local tries=$((PATIENCE * 5))
  until "$@"; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || return 1
    if ! kill -0 "$guest" 2>/dev/null; then "$@"; return; fi
    sleep 0.2
  done
}
at_least() { [ "$(count "$1" "$2")" -ge "$3" ]; }

# start OPTION...: a guest in the background whose console is the files in (a pipe) and out.
start() {
  rm -f in out log qmp talk
  mkfifo in
  lethe run --accel "$ACCEL" --ledger "$work/ledger" --qmp unix:"$work/qmp" "$@" <in >out 2>log &
  guest=$!
  exec 3>in
}
type_line() { echo "$*" >&3; }
# end: waits for the guest's end; its status is in $status.
end() {
  exec 3>&-
  wait "$guest"
  status=$?
}
give_up() {
  failed "$@"
  kill -9 "$guest" 2>/dev/null
  end
}

step='check says KVM is used'
if [ "$ACCEL" = kvm ]; then
  lethe check >out 2>log && has out 'used by --accel auto' && passed || failed "status $?"
else
  absent "$ACCEL"
fi

step='check says vector facility and protected guests are absent'
lethe check --accel "$ACCEL" >out 2>log
if [ "$ACCEL" != kvm ]; then absent "$ACCEL"
elif has out '^protected guests  *no' && has out '^vector facility  *no'; then passed
else failed 'other words'; fi

one_program() {
  step="hello: $*"
  lethe run --accel "$ACCEL" --ledger none --kernel "$PLACE/hello.elf" --append 'a b' "$@" >out 2>log </dev/null
  status=$?
  if [ $status = 0 ] && has out 'hello from an ELF program: a b' && has log 'guest powered off'; then passed
  else failed "status $status"; fi
}
one_program --memory 64M
one_program --memory 16M
one_program --memory 200M --cpus 2
one_program --memory 32M --reaper off --destroy sync
one_program --memory 32M --cpus 60

step='a guest sees its memory'
start --kernel "$PLACE/guest.image" --memory 96M
if until_true has out '^ready'; then
  has out '^memory 96 MiB' && passed || failed 'it says otherwise'

  step='it is listed while it runs'
  lethe ps --ledger "$work/ledger" >talk 2>&1
  has talk running && passed || failed 'not as running'

  step='it reboots when it asks for that'
  type_line r
  until_true at_least out '^ready' 2 && passed || failed 'not ready again'

  step='QMP: stop and cont'
  qmp_talk qmp '{"execute":"qmp_capabilities"}' '{"execute":"query-status"}' '"running"' \
    '{"execute":"stop"}' '"STOP"' '{"execute":"query-status"}' '"paused"' \
    '{"execute":"cont"}' '"RESUME"' '{"execute":"query-status"}' '"running"' >talk 2>&1 &&
    passed || failed "status $?"

  step='QMP: system_reset'
  qmp_talk qmp '{"execute":"qmp_capabilities"}' '{"execute":"system_reset"}' '"RESET"' >talk 2>&1 &&
    until_true at_least out '^ready' 3 && passed || failed 'not ready again'

  step='its input goes on after that'
  type_line x
  until_true at_least out '^ready' 4 && passed || failed 'no answer'

  step='it powers off'
  type_line p
  end
  [ $status = 0 ] && has log 'guest powered off' && passed || failed "status $status"

  step='nothing is owed after that'
  lethe ps --ledger "$work/ledger" >talk 2>&1
  has talk running && failed 'still running' || passed
else
  give_up 'never ready'
fi

step='QMP: quit'
start --kernel "$PLACE/guest.image" --memory 64M
if until_true has out '^ready' &&
    qmp_talk qmp '{"execute":"qmp_capabilities"}' '{"execute":"quit"}' >talk 2>&1; then
  end
  has log 'guest stopped' && passed || failed "status $status"
else
  give_up 'never ready, or no answer'
fi

step='the program is killed: the reaper gives the memory back'
start --kernel "$PLACE/guest.image" --memory 64M
if until_true has out '^ready'; then
  kill -9 "$guest"
  end
  lethe wait --help >/dev/null
  tries=100
  while lethe ps --ledger "$work/ledger" 2>&1 | tee talk | grep -q lethe && [ $tries -gt 0 ]; do
    sleep 0.2
    tries=$((tries - 1))
  done
  [ $tries -gt 0 ] && passed || failed 'still in the ledger'
else
  give_up 'never ready'
fi

step='a guest touches all of its memory'
if [ "$(uname -m)" = s390x ] && uname -r | grep -q '^6\.12'; then
  absent 'false protection exceptions of this emulator at first stores (docs/real-kvm.md)'
else
  start --kernel "$PLACE/guest.image" --memory 64M
  if until_true has out '^ready'; then
    type_line t
    until_true has out '^touched 64 MiB' && passed || failed 'not all'
    step='and again after a reboot'
    type_line r
    until_true at_least out '^ready' 3 && type_line t &&
      until_true at_least out '^touched 64 MiB' 2 && passed || failed 'not all'
    type_line p
    end
  else
    give_up 'never ready'
  fi
fi

if [ -e "$PLACE/linux" ]; then
  step='Linux boots on one CPU'
  start --kernel "$PLACE/linux" --initrd "$PLACE/initrd.gz" --memory 384M --append 'lethe=cpus,shell'
  if until_true has out 'guest: cpus 0'; then
    passed
    step='Linux reboots'
    type_line 'reboot -f'
    until_true at_least out 'guest: cpus 0' 2 && passed || failed 'no second life'
    step='Linux powers off'
    type_line 'poweroff -f'
    end
    [ $status = 0 ] && has log 'guest powered off' && passed || failed "status $status"
  else
    give_up 'no sign of it'
  fi
fi
cd /
rm -rf "$work"
echo 'end of steps'
