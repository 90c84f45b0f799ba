#!/usr/bin/env bash
# Shows what a person sees of a run: 75 tasks in tmux, against a loopback model that answers 5 % of the requests with
# 429, at 60, 80 and 200 columns, at five moments. Needs tmux.
#
#   cargo build -p testkit -p stage-amplify -p stage-extract --bins
#   stage-amplify/tools/screens.sh target/debug        a call takes 4 s; SECONDS_A_CALL=20 takes 14 minutes
#
# With PIPE='| stage-extract …' the run is the beginning of a pipe.
set -euo pipefail

bin=$(realpath "${1:?the folder of the programs}")
call=${SECONDS_A_CALL:-4}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
tmux="tmux -L screens-$$ -f /dev/null"
model=
trap 'status=$?; $tmux kill-server 2>/dev/null || true; [ -z "$model" ] || kill "$model"; rm -rf "$work"; exit $status' EXIT

"$bin/loopback-model" --author --first "$(python3 -c "print($call / 4)")" --last "$call" --rate-limited 0.05 \
  --retry-after "$call" >"$work/url" &
model=$!
until [ -s "$work/url" ]; do sleep 0.1; done

for width in 60 80 200; do
  cp -r "$root/examples/demo/benchmarks" "$(mkdir -p "$work/$width"; echo "$work/$width")"
  $tmux new-session -d -s "w$width" -x "$width" -y 12 "cd $work/$width; export PATH=$bin:\$PATH PS1='\$ ' \
    ANTHROPIC_API_KEY=none ANTHROPIC_BASE_URL=$(cat "$work/url"); exec bash --norc"
  until $tmux capture-pane -p -t "w$width" | grep -q '^\$'; do sleep 0.1; done
  $tmux send-keys -t "w$width" "stage-amplify --software GnuCash --env-dir gnucash_env --env-seeds \
--model claude-sonnet-5 --count 75 ${PIPE:-} >/dev/null" Enter
done

# The whole run takes about forty times as long as a call.
for moment in 1 8 18 30 41; do
  sleep "$(python3 -c "print(max(0.0, $moment * $call - ${elapsed:=0}))")"
  elapsed=$(python3 -c "print($moment * $call)")
  for width in 60 80 200; do
    printf '=== after %s s, %s columns\n' "$elapsed" "$width"
    $tmux capture-pane -p -t "w$width" | sed '/^$/d' | tail -n 8
  done
done
