#!/bin/bash
# Installs GnuCash, the driver for books in the SQLite format, GnuCash's Python bindings and the tools that
# the tasks' hooks use. Works on the presets' Ubuntu 22.04 (GnuCash 4.8) and 24.04 (GnuCash 5.5).
set -euo pipefail

export DEBIAN_FRONTEND=noninteractive

apt-get update
apt-get install -y --no-install-recommends \
    gnucash gnucash-docs python3-gnucash python3-gi libdbd-sqlite3 sqlite3 \
    libglib2.0-bin yelp gnome-text-editor \
    xdotool wmctrl scrot imagemagick ||
    # gnome-text-editor is called gedit before Ubuntu 22.10.
    apt-get install -y --no-install-recommends \
        gnucash gnucash-docs python3-gnucash python3-gi libdbd-sqlite3 sqlite3 \
        libglib2.0-bin yelp gedit \
        xdotool wmctrl scrot imagemagick

# Nothing may cover the book when it opens: no tip of the day, no assistant for new users, no reminders of
# documents that are due. Nor may an opened book create scheduled transactions: the machine's date is years after those
# of the tasks. An override of the defaults needs no session bus. The schemas' prefix depends on the version.
schemas=/usr/share/glib-2.0/schemas
override_false() {
    gsettings list-schemas | grep -E "^org\.gnucash(\.GnuCash)?\.dialogs\.$1\$" | while read -r schema; do
        printf '[%s]\n%s=false\n\n' "$schema" "$2"
    done
}
{
    override_false totd show-at-startup
    override_false new-user first-startup
    override_false 'business\.invoice' notify-when-due
    override_false 'business\.bill' notify-when-due
    override_false 'sxs\.since-last-run' show-at-file-open
} > "$schemas/99_gnucash_env.gschema.override"
glib-compile-schemas "$schemas"

apt-get clean
rm -rf /var/lib/apt/lists/*
