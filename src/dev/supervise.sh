# Runs one server as a child and ends it when whoever started this script is gone.
#
# Usage: sh -c "$(cat supervise.sh)" supervise STOP_SIGNAL PATIENCE_S PROGRAM [ARGUMENT...]
#
# Standard input is a pipe that the starting process holds open. The kernel closes it when that process ends, in whatever
# way, SIGKILL included: that end of file is the sign to stop the server. Until then each line read is a signal to send.
# The server's process id is the only line on standard output; the server writes to standard error.

stop_signal=$1
patience_s=$2
shift 2

# Background commands get /dev/null as standard input, so the pipe needs a number of its own.
exec 3<&0
"$@" 3<&- </dev/null >&2 &
server=$!
echo "$server"
exec >&-

(
  while read -r signal <&3; do
    kill -s "$signal" "$server" 2>/dev/null
  done
  kill -s "$stop_signal" "$server" 2>/dev/null
  # Short sleeps, so that nothing of ours outlives the server.
  waited=0
  while [ "$waited" -lt "$((patience_s * 10))" ] && kill -0 "$server" 2>/dev/null; do
    sleep 0.1
    waited=$((waited + 1))
  done
  kill -s KILL "$server" 2>/dev/null
) &
watcher=$!

wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
