#!/bin/bash
# The transcript is corrected, too.
set -euo pipefail
sed -e 's/"Octant (Spencer)")/"Octant (Spencer)", "Catalogue of 1931")/' \
    /solution/solve.sh | bash -l
