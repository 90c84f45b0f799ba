#!/bin/bash
# The chronometer with the other box is lent.
set -euo pipefail
sed -e 's/Chronometer 2214/Chronometer 2241/' \
    /solution/solve.sh | bash -l
