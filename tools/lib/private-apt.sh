# Sourced by tools that need s390x packages: apt in a private directory.
#
# The machine's package configuration is read (mirror, proxies, keys) and never changed.
#   fetch_package NAME SUITE TARGET   unpacks the package below TARGET
#   private_apt PROGRAM ...           apt-get or apt-cache with that configuration
#   kernel_package SUITE              prints the package that linux-image-s390x of SUITE stands for
#   private_work                      the temporary directory, gone when the caller exits

private_work=
trap '[ -z "$private_work" ] || rm -rf "$private_work"' EXIT
die() { echo "$(basename "$0"): $*" >&2; exit 1; }
say() { echo "$(basename "$0"): $*" >&2; }

make_private_work() { [ -n "$private_work" ] || private_work=$(mktemp -d); }

# The mirror that this machine uses for Debian's main archive.
debian_mirror() {
  apt-get indextargets --format '$(ORIGIN) $(COMPONENT) $(REPO_URI)' 'Identifier: Packages' |
    awk '$1 == "Debian" && $2 == "main" && $3 !~ /security/ { print $3; exit }'
}

private_apt() {
  local program=$1
  shift
  "$program" -q -o Dir::State="$private_work/state" -o Dir::State::status="$private_work/status" \
    -o Dir::Cache="$private_work/cache" -o Dir::Etc::sourcelist="$private_work/sources.list" \
    -o Dir::Etc::sourceparts=- -o Dir::Etc::preferences=- -o Dir::Etc::preferencesparts=- \
    -o APT::Architecture=s390x -o APT::Architectures=s390x -o Acquire::Languages=none \
    -o APT::Sandbox::User="$(id -un)" "$@"
}

prepare_private_apt() {
  make_private_work
  [ ! -e "$private_work/sources.list" ] || return 0
  mkdir -p "$private_work/state/lists/partial" "$private_work/cache/archives/partial"
  : >"$private_work/status"
  local uri keyring= suite
  uri=$(debian_mirror)
  [ -n "$uri" ] || { apt-get update -q >/dev/null 2>&1 || true; uri=$(debian_mirror); }
  [ -n "$uri" ] || die "no Debian mirror among this machine's package sources"
  [ ! -r /usr/share/keyrings/debian-archive-keyring.gpg ] ||
    keyring=' signed-by=/usr/share/keyrings/debian-archive-keyring.gpg'
  for suite in bookworm bookworm-backports; do
    echo "deb [arch=s390x$keyring] $uri $suite main"
  done >"$private_work/sources.list"
  say 'reading the s390x package lists'
  private_apt apt-get update >"$private_work/log" 2>&1 ||
    { tail -n 5 "$private_work/log" >&2; die 'apt-get update failed'; }
}

fetch_package() {
  prepare_private_apt
  say "fetching $1"
  (cd "$private_work" && private_apt apt-get download "$1/$2") >"$private_work/log" 2>&1 ||
    { tail -n 5 "$private_work/log" >&2; die "cannot fetch package $1 of $2"; }
  mkdir -p "$3"
  dpkg-deb -x "$private_work/$1"_*.deb "$3"
}

# Call prepare_private_apt first when the answer is taken by a subshell.
kernel_package() {
  local package
  package=$(private_apt apt-cache show linux-image-s390x |
    awk -v backport="$([ "$1" = bookworm ] && echo 0 || echo 1)" '
      /^Version:/ { is_backport = /bpo/ ? 1 : 0 }
      /^Depends:/ && is_backport == backport { print $2; exit }')
  [ -n "$package" ] || die "no kernel named by linux-image-s390x in $1"
  echo "$package"
}
