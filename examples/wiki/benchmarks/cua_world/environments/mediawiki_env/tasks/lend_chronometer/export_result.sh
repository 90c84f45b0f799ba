#!/bin/bash
# Writes /tmp/task_result.json: the pages that were changed, deleted or moved.
source /workspace/scripts/task_utils.sh

take_screenshot /tmp/task_end.png
/usr/bin/python3 -B /workspace/scripts/wiki_read.py export lend_chronometer
