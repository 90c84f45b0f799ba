# Prints what a machine shows, in parts that a NUL byte ends: titles of windows, processes, peak of memory in bytes,
# the package of the program behind a window. Then the screen, as XWD.
here=/run/verify-task

if command -v wmctrl >/dev/null; then
    wmctrl -l 2>/dev/null | sed 's/^[^ ]* *[^ ]* *[^ ]* *//'
elif command -v xprop >/dev/null; then
    xprop -root _NET_CLIENT_LIST 2>/dev/null | grep -o '0x[0-9a-f]*' | while read -r window; do
        xprop -id "$window" _NET_WM_NAME WM_NAME 2>/dev/null | sed -n 's/.* = "\(.*\)"$/\1/p' | head -n 1
    done
fi
printf '\0'
# Without the processes that look: they have higher ids than the one that the engine started. Its parent is outside.
own=$PPID next=$PPID
while [ "$next" -gt 1 ]; do
    first=$next
    next=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$next/status")
done
[ "$next" = 1 ] || own=${first:-$own}
cat /proc/[0-9]*/status 2>/dev/null | awk -v own="$own" '
    /^Name:/ {name = $2} /^State:/ {state = $2} /^Pid:/ {id = $2}
    /^PPid:/ && id < own {print id, state, $2, name}'
printf '\0'
cat /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null
printf '\0'
if [ "$1" = version ] && command -v dpkg-query >/dev/null && command -v wmctrl >/dev/null; then
    for process in $(wmctrl -lp 2>/dev/null | awk '$3 > 0 {print $3}'); do
        # Without the capability to trace, root cannot see which file a user's process executes.
        program=$(cat "/proc/$process/cmdline" 2>/dev/null | tr '\0' '\n' | head -n 1)
        program=$(command -v "${program:-none}") || continue
        program=$(readlink -f "$program")
        package=$(dpkg-query -S "$program" 2>/dev/null | head -n 1 | cut -d: -f1)
        [ -z "$package" ] || { dpkg-query -W -f '${Package} ${Version}\n' "$package"; break; }
    done
fi
printf '\0'
if [ -s $here/screen/Xvfb_screen0 ]; then
    cat $here/screen/Xvfb_screen0
elif command -v import >/dev/null; then
    import -silent -window root xwd:- 2>/dev/null
elif command -v xwd >/dev/null; then
    xwd -root -silent 2>/dev/null
fi
