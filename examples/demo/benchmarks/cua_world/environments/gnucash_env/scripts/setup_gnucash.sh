#!/bin/bash
# Builds the book that every task starts from, once, from the CSV files in /workspace/data.
set -euo pipefail

state=/var/lib/gnucash_env
mkdir -p "$state"
chmod 700 "$state"

# In memory: the SQL backend syncs after every row, which on a disk takes half a minute.
work=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 -B /workspace/scripts/build_book.py /workspace/data "$work/template.gnucash"
install -m 600 "$work/template.gnucash" "$state/template.gnucash"

install -d -o ga -g ga /home/ga/Documents /home/ga/Documents/Inbox
install -o ga -g ga -m 600 "$state/template.gnucash" /home/ga/Documents/casco_bay_repair.gnucash
