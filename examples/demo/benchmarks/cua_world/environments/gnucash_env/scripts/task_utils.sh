#!/bin/bash
# What the tasks' hooks share. They run as root; GnuCash runs as the desktop's user.

TASK_USER=ga
USER_HOME=/home/ga
BOOK="$USER_HOME/Documents/casco_bay_repair.gnucash"
INBOX="$USER_HOME/Documents/Inbox"
TEMPLATE=/var/lib/gnucash_env/template.gnucash
BASELINE=/var/lib/gnucash_env/baseline.json
START=/var/lib/gnucash_env/start.json
SCRIPTS=/workspace/scripts

export DISPLAY="${DISPLAY:-:1}"
for authority in "/run/user/$(id -u "$TASK_USER")/gdm/Xauthority" "$USER_HOME/.Xauthority"; do
    if [ -s "$authority" ]; then
        export XAUTHORITY="$authority"
        break
    fi
done

# Python with the helpers of this environment: `book_python <<'PY' … PY`.
book_python() {
    PYTHONPATH="$SCRIPTS" /usr/bin/python3 -B - "$@"
}

take_screenshot() {
    import -window root "$1" 2>/dev/null || scrot -o "$1" 2>/dev/null || true
}

# Whether GnuCash runs. A zombie does not: it remains where process 1 does not wait for its children.
gnucash_runs() {
    ps -u "$TASK_USER" -o stat=,comm= | grep -q '^[^Z].* gnucash$'
}

close_gnucash() {
    pkill -u "$TASK_USER" -x gnucash 2>/dev/null || return 0
    for _ in $(seq 100); do
        gnucash_runs || return 0
        sleep 0.1
    done
    pkill -KILL -u "$TASK_USER" -x gnucash 2>/dev/null
    sleep 1
}

# begin_task: a fresh book, an empty inbox, nothing of an earlier run. Nobody looks at a hook's exit status; a set-up
# that fails on the way to start_task leaves no baseline, and without one no verifier gives a point.
begin_task() {
    close_gnucash
    rm -f "$BASELINE" "$START"
    rm -f /tmp/task_result.json /tmp/task_result.json.partial /tmp/task_start.png /tmp/task_end.png
    rm -rf "$INBOX"
    install -d -o "$TASK_USER" -g "$TASK_USER" "$USER_HOME/Documents" "$INBOX"
    rm -f "$BOOK".* "$BOOK"
    install -m 600 "$TEMPLATE" "$BOOK"
}

# inbox FILE: standard input becomes a document that the agent can open.
inbox() {
    cat > "$INBOX/$1"
    chown "$TASK_USER:$TASK_USER" "$INBOX/$1"
    chmod 644 "$INBOX/$1"
}

# start_task NAME: records the baseline, opens the book in GnuCash, maximized, and records the time last. If GnuCash does
# not open, the baseline goes: the agent had nothing to work with.
start_task() {
    rm -f "$BOOK".*
    chown "$TASK_USER:$TASK_USER" "$BOOK"
    /usr/bin/python3 -B "$SCRIPTS/gc_read.py" baseline "$1" || return 1
    local bus=""
    if [ -S "/run/user/$(id -u "$TASK_USER")/bus" ]; then
        bus="DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u "$TASK_USER")/bus"
    fi
    su - "$TASK_USER" -c "env DISPLAY=$DISPLAY ${XAUTHORITY:+XAUTHORITY=$XAUTHORITY} $bus \
        setsid gnucash '$BOOK' >/tmp/gnucash.log 2>&1 </dev/null &"
    local started="" deadline=$((SECONDS + 90))
    while [ $SECONDS -lt $deadline ]; do
        if wmctrl -l 2>/dev/null | grep -q "casco_bay_repair.* - GnuCash"; then
            sleep 0.5
            wmctrl -r "casco_bay_repair" -b add,maximized_vert,maximized_horz 2>/dev/null
            wmctrl -a "casco_bay_repair" 2>/dev/null
            take_screenshot /tmp/task_start.png
            (umask 077 && date +%s > "$START")
            return 0
        fi
        if gnucash_runs; then
            started=1
        elif [ -n "$started" ]; then
            break
        fi
        sleep 0.2
    done
    echo "GnuCash ended, or did not show the book within 90 seconds:" >&2
    tail -n 20 /tmp/gnucash.log >&2
    rm -f "$BASELINE"
    return 1
}
