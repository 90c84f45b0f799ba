# What the scripts of a task environment share. settings.sh names the display and the users.
here=/opt/task-environment
state=/run/task-environment
. $here/settings.sh
export DISPLAY=$display container=docker

# Starts the desktop, unless it runs. It lives until the container ends.
start_desktop() {
    [ ! -e $state/desktop ] || return 0
    mkdir -p $state /run/verify-task
    # The desktop ends with its standard input, which `sleep` holds open.
    setsid sh -c 'sleep infinity | exec sh "$@"' sh $here/desktop.sh "$display" "$width" "$height" "$desktop_user" \
        "$entrypoint" "" >$state/desktop.log 2>&1 </dev/null &
    left=600
    until grep -qx ready $state/desktop.log 2>/dev/null; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo 'the desktop does not start:'; cat $state/desktop.log; return 1; }
        sleep 0.1
    done >&2
    touch $state/desktop
}

# Runs a hook as gym-anything does: in a login shell. A hook without a text does nothing.
hook() {
    [ -n "$1" ] || return 0
    case $hook_user in
        root | 0 | 0:0) bash -lc "$1" </dev/null ;;
        *:*) setpriv --reuid "${hook_user%%:*}" --regid "${hook_user#*:}" --clear-groups bash -lc "$1" </dev/null ;;
        *) setpriv --reuid "$hook_user" --regid "$(id -g "$hook_user")" --init-groups bash -lc "$1" </dev/null ;;
    esac
}
