# The health check of a task: prepares it when it is called first, and ends with 0 once it is prepared.
#
#     ready.sh PRE_TASK INIT_SCRIPT
. /opt/task-environment/lib.sh
[ ! -e $state/ready ] || exit 0
start_desktop && hook "$reset" && hook "$1" && hook "$2" && touch $state/ready
