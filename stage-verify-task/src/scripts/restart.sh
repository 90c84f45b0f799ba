# Ends the programs behind all windows, and starts them again with the same arguments, variables, folder and user.
here=/run/verify-task/restart
rm -rf $here
mkdir -p $here
count() { wmctrl -l 2>/dev/null | wc -l; }
as_owner() {
    owner=$(cat "$here/$1.user")
    if [ "$owner" = root ]; then sh -c "$2"; else su -s /bin/sh "$owner" -c "$2"; fi
}
before=$(count)
programs=$(wmctrl -lp 2>/dev/null | awk '$3 > 1 {print $3}' | sort -un)
[ -n "$programs" ] || { echo "no window has a process"; exit 3; }
for process in $programs; do
    stat -c %U "/proc/$process" >"$here/$process.user"
    # Without the capability to trace, root cannot see the variables of a user's process.
    as_owner "$process" "readlink /proc/$process/cwd" >"$here/$process.folder"
    as_owner "$process" "cat /proc/$process/environ /proc/$process/cmdline" >"$here/$process.arguments"
    chmod 644 $here/*
    kill "$process"
done
for process in $programs; do
    left=100
    while [ -d "/proc/$process" ] && ! grep -q '^State:.Z' "/proc/$process/status" && [ $left -gt 0 ]; do
        left=$((left - 1))
        sleep 0.05
    done
    kill -KILL "$process" 2>/dev/null
done
for process in $programs; do
    as_owner "$process" "cd \"\$(cat $here/$process.folder)\"
        xargs -0 -a $here/$process.arguments setsid env -i >/dev/null 2>&1 </dev/null &"
done
left=900
while [ "$(count)" -lt "$before" ]; do
    left=$((left - 1))
    [ $left -gt 0 ] || { echo "the programs did not open their windows again"; exit 4; }
    sleep 0.1
done
sleep 1
