#!/bin/bash
# The plain wiki, its main page in Firefox.
source /workspace/scripts/task_utils.sh

begin_task || exit 1
start_task merge_anna_maria
