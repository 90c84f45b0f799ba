#!/bin/sh
# Builds the images that the tasks name, one for each environment:
#
#     ./build_images.sh BASE_IMAGE [OPTION OF docker build ...]
#
# BASE_IMAGE is a Linux desktop image: Xvfb or a desktop of its own, dbus, a window manager, python3, sudo. Building
# installs the application, which usually needs a network (--network host). ENVIRONMENTS limits it to some environments.
set -eu
cd "$(dirname "$0")/environments"
[ $# -gt 0 ] || { sed -n '2,8s/^# \{0,1\}//p' "../$(basename "$0")" >&2; exit 2; }
base=$1
shift
for environment in ${ENVIRONMENTS:-*}; do
    "${DOCKER:-docker}" build --build-arg "BASE=$base" --tag "$(cat "$environment/image.txt")" "$@" "$environment"
done
