#!/usr/bin/env bash
# Breaks copies of the product on purpose and sees that the tests notice.
#
#   tests/sabotage/run.sh [PATCH...]            every patch (or those named): build the broken copy, run its tests
#   tests/sabotage/run.sh --chaos [PATCH...]    those that name a fault: break stores under the copy until it is noticed
#   tests/sabotage/run.sh --check [PATCH...]    only see that each patch is well formed and applies
#
# A patch begins with what it breaks and which tests must notice, one `caught-by` line each:
#
#   # breaks: debit and credit of a commit are swapped
#   # caught-by: --test it ledger::postings -- --exact
#
# A line `# chaos: FAULT` says under which fault `make chaos` notices, too: within CHAOS_RUNS_MAX runs.
#
# What follows `caught-by:` are arguments of `cargo test`. A patch is caught when each of them fails because tests ran and
# failed. A copy that does not compile, a filter that no test matches, or a test that fails without the patch as well
# proves nothing and counts as not caught. How each was caught stands in target/sabotage/logs/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
readonly ROOT=$PWD
# One target folder for all copies: between two patches only what they touch is compiled again.
readonly TARGET="$ROOT/target/sabotage"
# A broken copy may wait for ever.
readonly TEST_SECONDS_MAX=1200
readonly CHAOS_RUNS_MAX=50

die() { printf 'sabotage: %s\n' "$*" >&2; exit 2; }

header() { sed -n "s/^# $1: *//p" "$2"; }

check_header() {
    [ "$(header breaks "$1" | wc -l)" -eq 1 ] || die "$1: needs one line '# breaks: ...'"
    [ -n "$(header caught-by "$1")" ] || die "$1: needs a line '# caught-by: <arguments of cargo test>'"
}

# The files as they stand in this working tree, committed or not, without what git ignores. All are new (--touch): cargo
# goes by times and takes this copy for the one before, so with old times it would test the last broken build again.
copy_sources() {
    git ls-files -z --cached --others --exclude-standard |
        while IFS= read -r -d '' file; do if [ -e "$file" ]; then printf '%s\0' "$file"; fi; done |
        tar --null --files-from=- --create --file=- | tar --extract --touch --directory "$1"
}

# Answers "failed" or "passed" when the test ran, else why it did not. The log goes to the file named.
run_test() {
    local copy=$1 log=$2 status=0
    shift 2
    cd "$copy"
    if ! cargo test --locked --no-run "$@" >"$log" 2>&1; then
        echo "does not compile"
        return
    fi
    timeout "$TEST_SECONDS_MAX" cargo test --locked --no-fail-fast "$@" >>"$log" 2>&1 || status=$?
    if [ "$status" -eq 124 ]; then
        echo "no end within $TEST_SECONDS_MAX s"
    elif [ "$status" -ne 0 ] && grep -qE '^test result: FAILED\. .* [1-9][0-9]* failed' "$log"; then
        echo failed
    elif [ "$status" -ne 0 ]; then
        echo "no test result"
    elif grep -qE '^test result: ok\. [1-9]' "$log"; then
        echo passed
    else
        echo "no such test"
    fi
}

# One test on one copy; counts in `uncaught` what is not as wanted, and shows the end of its log.
expect() {
    local wanted=$1 name=$2 test=$3 log answer arguments
    log="$TARGET/logs/${name//[^a-z0-9-]/_}.log"
    read -ra arguments <<<"$test"
    answer=$(run_test "$SCRATCH/copy" "$log" "${arguments[@]}")
    if [ "$answer" = "$wanted" ]; then
        if [ "$wanted" = failed ]; then row "$name" "$test" caught; fi
        return
    fi
    row "$name" "$test" "NO: $answer"
    tail -n 25 "$log" | sed 's/^/    /'
    uncaught=$((uncaught + 1))
}

row() { printf '%-34s | %-66s | %s\n' "$1" "$2" "$3"; }

# The copy stands in $SCRATCH/copy afterwards.
make_copy() {
    SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/holdbook-sabotage.XXXXXX")
    trap 'rm -rf "$SCRATCH"' EXIT
    trap 'exit 130' INT TERM
    # The tests give up root's rights for Postgres, as the product does: the folder must be open to others.
    chmod 755 "$SCRATCH"
    mkdir -p "$TARGET/logs" "$SCRATCH/copy"
    export CARGO_TARGET_DIR=$TARGET
    # The copy is no repository, whatever lies above it: `git apply` takes paths from the folder it runs in.
    export GIT_CEILING_DIRECTORIES=$SCRATCH
    copy_sources "$SCRATCH/copy"
    # The tests that start the Python client look for it here.
    if [ -d .venv ]; then ln -sfn "$ROOT/.venv" "$SCRATCH/copy/.venv"; fi
}

# Breaks stores under each copy that names a fault, until the harness has a finding.
chaos_all() {
    local patch fault log answer uncaught=0
    make_copy
    row patch fault caught
    for patch in "$@"; do
        fault=$(header chaos "$patch")
        if [ -z "$fault" ]; then continue; fi
        git -C "$SCRATCH/copy" apply --whitespace=nowarn "$ROOT/$patch"
        log="$TARGET/logs/chaos_$(basename "$patch" .patch).log"
        answer=$(FAULT=$fault RUNS=$CHAOS_RUNS_MAX SEED=7 FIRST=1 \
            run_test "$SCRATCH/copy" "$log" --test it chaos::short -- --exact --nocapture)
        if [ "$answer" = failed ]; then
            # The first lines of runs are numbered from 0.
            row "$(basename "$patch" .patch)" "$fault" "by chaos in run $(grep -cE '^[0-9]+: ' "$log")"
        else
            row "$(basename "$patch" .patch)" "$fault" "NO: $answer"
            uncaught=$((uncaught + 1))
        fi
        git -C "$SCRATCH/copy" apply --whitespace=nowarn --reverse "$ROOT/$patch"
    done
    [ "$uncaught" -eq 0 ]
}

sabotage_all() {
    local patch test uncaught=0
    make_copy
    row patch test caught
    # A test that fails anyway would seem to catch everything.
    while IFS= read -r test; do
        expect passed "(none: must pass)" "$test"
    done < <(for patch in "$@"; do header caught-by "$patch"; done | sort -u)
    for patch in "$@"; do
        git -C "$SCRATCH/copy" apply --whitespace=nowarn "$ROOT/$patch"
        while IFS= read -r test; do
            expect failed "$(basename "$patch" .patch)" "$test"
        done < <(header caught-by "$patch")
        git -C "$SCRATCH/copy" apply --whitespace=nowarn --reverse "$ROOT/$patch"
    done
    if [ "$uncaught" -gt 0 ]; then
        printf 'sabotage: %d rows are not as they must be\n' "$uncaught"
        return 1
    fi
    printf 'sabotage: patches: %d, all caught\n' "$#"
}

check_all() {
    local patch
    for patch in "$@"; do
        git apply --check --whitespace=nowarn "$patch" || die "$patch does not apply any more: make it again for the present code"
    done
    printf 'sabotage: patches: %d, all apply\n' "$#"
}

mode=run
case "${1:-}" in
--check | --chaos)
    mode=${1#--}
    shift
    ;;
esac
shopt -s nullglob
if [ $# -gt 0 ]; then patches=("$@"); else patches=(tests/sabotage/*.patch); fi
if [ ${#patches[@]} -eq 0 ] && [ "$mode" = run ]; then die "no patches under tests/sabotage/"; fi
for patch in "${patches[@]}"; do
    [ -f "$patch" ] || die "no such patch: $patch"
    check_header "$patch"
done
case "$mode" in
check) check_all "${patches[@]}" ;;
chaos) chaos_all "${patches[@]}" ;;
*) sabotage_all "${patches[@]}" ;;
esac
