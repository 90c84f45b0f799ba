#!/bin/bash
# The record without a maker remains.
set -euo pipefail
sed -e 's/^replace(KEPT.*/replace(OTHER, note, f"{note} Waterline model of the barque, 1 to 75.")/' \
    -e 's/^edit(OTHER.*/edit(KEPT, f"#REDIRECT [[{OTHER}]]")/' \
    /solution/solve.sh | bash -l
