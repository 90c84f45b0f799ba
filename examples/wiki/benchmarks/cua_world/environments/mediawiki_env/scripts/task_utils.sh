#!/bin/bash
# What the tasks' hooks share. They run as root; the wiki runs as www-data, Firefox as the desktop's user.
TASK_USER=ga
STATE=/var/lib/mediawiki_env
WIKI=http://localhost:8080/index.php
export DISPLAY="${DISPLAY:-:1}"

take_screenshot() {
    import -window root "$1" 2>/dev/null || scrot -o "$1" 2>/dev/null || true
}

wait_until() { # SECONDS COMMAND…
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.1
    done
}

# begin_task: the wiki as it was installed, and nothing of an earlier run.
begin_task() {
    pkill -f firefox-esr
    pkill -u www-data php
    rm -f "$STATE/baseline.json" /tmp/task_result.json /tmp/task_start.png /tmp/task_end.png
    rm -rf "$STATE/db"
    cp -a "$STATE/template" "$STATE/db"
}

# start_task NAME: records the baseline, starts the wiki, and shows its main page in Firefox, maximized. Without a
# window there is no baseline, and no verifier gives a point.
start_task() {
    su -s /bin/bash www-data -c "cd /usr/share/mediawiki && PHP_CLI_SERVER_WORKERS=4 exec setsid php -S 127.0.0.1:8080 >/tmp/wiki.log 2>&1 </dev/null &"
    wait_until 60 curl --silent --fail --output /dev/null "$WIKI?title=Main_Page" || { echo "the wiki does not answer" >&2; return 1; }
    /usr/bin/python3 -B /workspace/scripts/wiki_read.py baseline "$1" || return 1
    su - "$TASK_USER" -c "env DISPLAY=$DISPLAY setsid firefox-esr '$WIKI?title=Main_Page' >/tmp/firefox.log 2>&1 </dev/null &"
    if ! wait_until 90 eval 'wmctrl -l | grep -q "Harbor Museum"'; then
        echo "Firefox did not show the wiki within 90 seconds:" >&2
        tail -n 20 /tmp/firefox.log >&2
        rm -f "$STATE/baseline.json"
        return 1
    fi
    # The title is there before the page. Its style is what the browser asks for last.
    wait_until 60 grep -q "GET /load.php" /tmp/wiki.log
    sleep 0.5
    wmctrl -r "Harbor Museum" -b add,maximized_vert,maximized_horz
    take_screenshot /tmp/task_start.png
}
