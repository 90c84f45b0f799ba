#!/bin/sh
# Makes a container image with a minimal desktop of a Debian release, which the demo's environment is built from where
# no registry has one:
#
#     examples/demo/desktop_image.sh bookworm verify-task-desktop:bookworm
#
# From Debian's packages with mmdebstrap where it is installed (as root), else from the image debian:RELEASE of a
# registry. `DOCKER` is the engine's program.
set -eu
release=$1 tag=$2
docker=${DOCKER:-docker}
packages="ca-certificates dbus-x11 imagemagick openbox passwd procps python3 scrot sqlite3 sudo wmctrl x11-utils
    x11-xserver-utils xauth xdotool xvfb"

if [ -n "$("$docker" images --quiet "$tag")" ]; then
    exit
fi
if command -v mmdebstrap >/dev/null; then
    archive=$(mktemp --suffix .tar)
    trap 'rm -f "$archive"' EXIT
    mmdebstrap --quiet --variant=apt --include="$(echo $packages | tr ' ' ',')" \
        --customize-hook='echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/unsafe-io"' \
        "$release" "$archive" http://deb.debian.org/debian
    "$docker" import --change 'CMD ["sleep", "infinity"]' "$archive" "$tag" >/dev/null
else
    "$docker" build --quiet --tag "$tag" - >/dev/null <<DOCKERFILE
FROM debian:$release
RUN echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io \
 && apt-get update && apt-get install -y --no-install-recommends $(echo $packages) && rm -rf /var/lib/apt/lists/*
DOCKERFILE
fi
