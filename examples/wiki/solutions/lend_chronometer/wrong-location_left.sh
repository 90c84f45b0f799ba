#!/bin/bash
# Only the status of the record is changed.
set -euo pipefail
sed -e 's/{"| location ": .*, "| status "/{"| status "/' \
    /solution/solve.sh | bash -l
