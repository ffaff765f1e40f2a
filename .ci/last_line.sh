#!/usr/bin/env bash
# Runs a command and says once more, as the last line, the last of its lines that matches: what a test runner prints behind the
# summary of a long run hides it.
#
#   .ci/last_line.sh PATTERN COMMAND...
set -uo pipefail
pattern=$1
shift
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$@" | tee "$log"
status=$?
grep -E "$pattern" "$log" | tail -n 1
exit "$status"
