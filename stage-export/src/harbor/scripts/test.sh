#!/bin/bash
# Exports the state of the application, and runs the verifier on it.
. /opt/task-environment/lib.sh
. /tests/task.sh

# Scripts of the task come from here, whatever became of those that the set-up used.
mkdir -p "$task_dir"
cp -R /tests/task/. "$task_dir"/
hook "$post_task" || echo "the export ended with $?"
mkdir -p /logs/verifier
exec python3 -B /tests/verify.py
