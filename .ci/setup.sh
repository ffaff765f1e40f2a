#!/usr/bin/env bash
# Makes sure that what Holdbook needs besides git, make, cc and cargo is on this machine.
#
#   .ci/setup.sh run     redis-server >= 7 and PostgreSQL's server programs >= 15
#   .ci/setup.sh test    the same, and `.venv` with tests/python/requirements.txt
#
# Only what is missing is installed, from Debian's packages, as root or through sudo. Debian starts a server with each
# of the two packages and starts it again at every boot: neither happens here, because `holdbook dev` and the tests start
# private servers of their own. A server that was on the machine before is not touched.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly REDIS_MAJOR_MIN=7
readonly POSTGRES_MAJOR_MIN=15
readonly POLICY=/usr/sbin/policy-rc.d
readonly NO_CLUSTER=/etc/postgresql-common/createcluster.d/holdbook-setup.conf
# Marks the two files that the installation makes for its own time, so that the next call cleans up after a killed one.
readonly MARK='# made by holdbook/.ci/setup.sh for the time of an installation'

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- what is there ---------------------------------------------------------------------------------------------------

redis_is_there() {
    command -v redis-server >/dev/null || return 1
    local major
    major=$(redis-server --version | sed -n 's/.* v=\([0-9]*\)\..*/\1/p')
    [ "${major:-0}" -ge "$REDIS_MAJOR_MIN" ] ||
        die "$(command -v redis-server) is version ${major:-unknown}; Holdbook needs $REDIS_MAJOR_MIN or later"
}

postgres_is_there() {
    local program major
    for program in /usr/lib/postgresql/*/bin/postgres; do
        if [ ! -x "$program" ] || [ ! -x "${program%/*}/initdb" ]; then continue; fi
        major=${program#/usr/lib/postgresql/}
        major=${major%%/*}
        if [ "${major%%.*}" -ge "$POSTGRES_MAJOR_MIN" ]; then return 0; fi
    done
    return 1
}

# The system's python first: one under a home directory may be out of reach for the next user of the clone.
python_with_venv() {
    local python
    for python in /usr/bin/python3 "$(command -v python3 || true)"; do
        if [ -x "$python" ] && "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$python"
            return 0
        fi
    done
    return 1
}

# --- Debian's packages (as root) -------------------------------------------------------------------------------------

readonly APT=(apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0)

own_files_left() {
    grep -lsxF "$MARK" "$POLICY" "$NO_CLUSTER" || true
}

remove_own_files() {
    own_files_left | xargs -r rm -f
}

# Debian asks this program before it starts any service; 101 means "not allowed".
forbid_service_starts() {
    [ -e "$POLICY" ] && return
    printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >"$POLICY"
    chmod 755 "$POLICY"
}

# Without it a first installation makes a cluster `main` that starts at every boot.
forbid_main_cluster() {
    mkdir -p "${NO_CLUSTER%/*}"
    printf '%s\ncreate_main_cluster = false\n' "$MARK" >"$NO_CLUSTER"
}

# Only for what this installation brought. A policy that was there before may have let it start: hence --now.
keep_from_boot() {
    local unit=$1
    if command -v systemctl >/dev/null; then systemctl --quiet disable --now "$unit.service" 2>/dev/null || true; fi
    update-rc.d "$unit" disable >/dev/null 2>&1 || true
    say "$unit does not start at boot; 'systemctl enable $unit' would change that"
}

install_packages() {
    export DEBIAN_FRONTEND=noninteractive PATH="$PATH:/usr/sbin:/sbin"
    remove_own_files
    trap remove_own_files EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_service_starts
    forbid_main_cluster

    local unit new_units=()
    for unit in redis-server postgresql; do
        if [[ " $* " == *" $unit "* ]] && [ ! -e "/etc/init.d/$unit" ]; then new_units+=("$unit"); fi
    done

    [ $# -eq 0 ] && return
    # The package lists of a new machine are empty, those of an old one name versions that are gone: only then update.
    if ! "${APT[@]}" install --no-install-recommends "$@" >&2; then
        say "that failed: finishing what an interrupted installation left, reading the package lists, trying once more"
        dpkg --configure -a >&2
        "${APT[@]}" update >&2
        "${APT[@]}" install --no-install-recommends "$@" >&2
    fi
    for unit in "${new_units[@]}"; do keep_from_boot "$unit"; done
}

install_as_root() {
    command -v apt-get >/dev/null || die "no apt-get here: install these yourself: $*"
    if [ "$(id -u)" -eq 0 ]; then
        say "installing: $* (apt-get)"
        bash .ci/setup.sh install "$@"
        return
    fi
    command -v sudo >/dev/null || die "missing: $*. There is no sudo here; as root: bash .ci/setup.sh ${MODE}"
    say "installing: $* (sudo apt-get)"
    # Ask for a password only where somebody can answer.
    local sudo=(sudo)
    if [ ! -t 0 ] || [ -n "${CI:-}" ]; then sudo=(sudo -n); fi
    "${sudo[@]}" bash .ci/setup.sh install "$@" || die "could not install $*; as root: bash .ci/setup.sh ${MODE}"
}

ensure_servers_and_python() {
    local packages=() reasons=()
    if ! redis_is_there; then
        packages+=(redis-server)
        reasons+=("no redis-server: holds live in it")
    fi
    if ! postgres_is_there; then
        packages+=(postgresql)
        reasons+=("no PostgreSQL >= $POSTGRES_MAJOR_MIN under /usr/lib/postgresql: the ledger lives in it")
    fi
    if [ "$MODE" = test ] && ! python_with_venv >/dev/null; then
        packages+=(python3 python3-venv)
        reasons+=("no python3 with venv: the tests include a Python client")
    fi
    if [ -n "$(own_files_left)" ]; then reasons+=("an installation was killed before it had cleaned up"); fi
    [ ${#reasons[@]} -eq 0 ] && return
    local reason
    for reason in "${reasons[@]}"; do say "$reason"; done
    install_as_root "${packages[@]}"
    redis_is_there || die "redis-server is still not on the PATH"
    postgres_is_there || die "PostgreSQL >= $POSTGRES_MAJOR_MIN is still not under /usr/lib/postgresql"
}

# --- the Python environment ------------------------------------------------------------------------------------------

ensure_venv() {
    local requirements=tests/python/requirements.txt stamp=.venv/holdbook-requirements.sha256 want python
    want=$(sha256sum <"$requirements")
    # A venv survives a move of the clone, but not the loss of the python it was made from.
    if [ "$(cat "$stamp" 2>/dev/null)" = "$want" ] && .venv/bin/python -c 'import grpc' 2>/dev/null; then return; fi
    python=$(python_with_venv) || die "python3 with venv is still missing"
    say "making .venv with $python from $requirements (about 350 MB, most of it Helm's engine)"
    rm -rf .venv
    "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$requirements" >&2
    printf '%s\n' "$want" >"$stamp"
}

case "${1:-}" in
run | test)
    readonly MODE=$1
    ensure_servers_and_python
    if [ "$MODE" = test ]; then ensure_venv; fi
    ;;
install)
    shift
    if [ "$(id -u)" -ne 0 ]; then die "'install' is for this script itself, as root"; fi
    install_packages "$@"
    ;;
*) die "usage: .ci/setup.sh run|test" ;;
esac
