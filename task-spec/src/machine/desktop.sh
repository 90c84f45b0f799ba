# The first process of a container: starts a desktop, says that it is ready, and ends with its standard input.
# Arguments: display, width, height, the desktop's user, the environment's own entrypoint and a script to run before,
# if there are any.
display=$1 width=$2 height=$3 user=$4 entrypoint=$5 prepare=$6
number=${display#:}
here=/run/verify-task

wait_until() { # at most ten seconds
    left=500
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ $left -gt 0 ] || return 1
        sleep 0.02
    done
}

as_user() {
    if [ "$user" = root ]; then sh -c "$1"; else su -s /bin/sh "$user" -c "$1"; fi
}

start_x() {
    mkdir -p $here/screen /tmp/.X11-unix
    chmod 1777 /tmp/.X11-unix
    rm -f "/tmp/.X$number-lock" "/tmp/.X11-unix/X$number"
    # The screen is a file: it can be read while the display is busy.
    Xvfb "$display" -screen 0 "${width}x${height}x24" -fbdir $here/screen -nolisten tcp -noreset -ac \
        >$here/x.log 2>&1 </dev/null &
    wait_until test -S "/tmp/.X11-unix/X$number"
}

start_session() {
    id=$(id -u "$user") || return
    mkdir -p "/run/user/$id"
    chown "$user" "/run/user/$id"
    chmod 700 "/run/user/$id"
    if command -v dbus-daemon >/dev/null; then
        as_user "exec dbus-daemon --session --nopidfile --address=unix:path=/run/user/$id/bus --fork" >/dev/null 2>&1
    fi
    for manager in openbox fluxbox xfwm4 metacity icewm twm; do
        command -v $manager >/dev/null || continue
        as_user "DISPLAY=$display exec setsid $manager" >$here/windows.log 2>&1 </dev/null &
        ! command -v xprop >/dev/null || wait_until managed
        wake_manager >/dev/null 2>&1 &
        return
    done
}

# A window that opens while the manager starts may wait for the next event, for ever if there is none.
wake_manager() {
    for _ in $(seq 120); do
        sleep 0.5
        DISPLAY=$display xprop -root -format _VERIFY_TASK 32c -set _VERIFY_TASK 1
    done
}

managed() {
    DISPLAY=$display xprop -root _NET_SUPPORTING_WM_CHECK | grep -q 'window id'
}

if [ -n "$prepare" ]; then
    sh -c "$prepare" >&2 || exit
fi
if [ -n "$entrypoint" ]; then
    bash -lc "$entrypoint" >$here/entrypoint.log 2>&1 </dev/null &
    wait_until test -S "/tmp/.X11-unix/X$number"
elif command -v Xvfb >/dev/null; then
    start_x
    ! id "$user" >/dev/null 2>&1 || start_session
fi
echo ready
exec cat >/dev/null
