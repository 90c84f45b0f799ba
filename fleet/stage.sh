#!/usr/bin/env bash
# Usage: stage.sh STAGE OUTPUT [INPUT] VARIABLE=VALUE…
#
# Asks make for the output of a stage, as `make run` does. The end is 0 if the chain of this environment continues: the
# stage is done (0), or some of its records failed or are bad (1). Otherwise it is the status of the stage: 2 where it
# cannot continue, 3 where a limit stopped it. An earlier job of this environment that is still running, because only
# the workflow was killed, is waited for.
set -uo pipefail
stage=$1 output=$2
shift 2
run_dir=$(dirname "$output")
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
mkdir -p "$run_dir"
exec 9>"$run_dir/.fleet.lock"
flock 9 || exit 2

# The stage before this one is complete, or is not tried again before the next run of the fleet.
before=()
case $1 in
  *=*) ;;
  *)
    before=(--old-file "$1")
    [ "$output" -nt "$1" ] || rm -f "$run_dir/.$stage.command"
    shift
    ;;
esac
chain=(make --no-print-directory BUILD=: RUN_DIR="$run_dir" "$@")

if [ "$stage" = report ]; then
  "${chain[@]}" publish 9>&- >&2
  exit
fi
"${chain[@]}" "${before[@]}" "$output" 9>&- >&2
ended=$?
# Make keeps what a stage wrote that a limit stopped.
status=$(cat "$run_dir/.$stage.status" 2>/dev/null)
if [ "$ended" -ne 0 ]; then
  case ${status:-0} in 0 | 1 | 141) exit 2 ;; esac
fi
case ${status:-0} in 0 | 1 | 141) exit 0 ;; *) exit "$status" ;; esac
