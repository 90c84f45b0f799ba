#!/bin/bash
# Runs the solution as the desktop's user, in its session.
. /opt/task-environment/settings.sh
export DISPLAY=$display DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$(id -u)/bus
cd && exec bash -l /solution/solution.sh </dev/null
