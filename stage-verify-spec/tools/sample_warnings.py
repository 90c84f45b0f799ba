#!/usr/bin/env python3
"""Counts warnings in verdict records, and draws a random sample of each kind for review.

    stage-verify-spec --quiet --python none ENVIRONMENTS | sample_warnings.py [--code CODE] [--size 20] [--seed 7]

The same records, seed and size draw the same sample, whatever order the records come in.
"""

import argparse
import collections
import json
import random
import sys


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--code", help="show only this kind")
    parser.add_argument("--size", type=int, default=20, help="warnings in a sample (20)")
    parser.add_argument("--seed", type=int, default=7, help="seed of the random numbers (7)")
    parser.add_argument("--counts", action="store_true", help="print counts only")
    options = parser.parse_args()
    warnings = collections.defaultdict(list)
    for line in sys.stdin:
        record = json.loads(line)
        if record.get("record") != "verdict":
            continue
        for issue in record["issues"]:
            if issue["severity"] == "warning":
                warnings[issue["code"]].append((issue.get("path") or "", issue["message"]))
    for code in sorted(warnings):
        if options.code not in (None, code):
            continue
        found = sorted(warnings[code])
        print(f"{code}: {len(found)}")
        if options.counts:
            continue
        for path, message in sorted(random.Random(options.seed).sample(found, min(options.size, len(found)))):
            print(f"    {path}: {message}")


if __name__ == "__main__":
    main()
