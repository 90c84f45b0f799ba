# Builds the environment, while its image is built: accounts, desktop, application. A failed hook ends the build.
set -e
. /opt/task-environment/lib.sh
sh $here/accounts.sh
mkdir -p "$tasks/"
start_desktop
hook "$pre_start"
hook "$post_start"
# Marks of what runs now would be in the image.
rm -rf $state
