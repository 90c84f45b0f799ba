"""Shows one table over all runs of a fleet: `make fleet-status` calls it. It changes nothing."""

import argparse
import subprocess
import sys
from pathlib import Path

import table


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("envs", type=Path, help="the table of environments")
    parser.add_argument("--workspace", required=True, type=Path)
    parser.add_argument("--bin", required=True, type=Path, help="the folder of the programs")
    args = parser.parse_args()
    try:
        environments = table.read(args.envs, args.workspace)
    except table.TableError as error:
        sys.exit(f"fleet: the table cannot be used\n{error}")
    runs = args.workspace / "task_generation_runs"
    started = [name for name in environments if (runs / name).is_dir()]
    if started:
        report = [args.bin / "stage-report", "--workspace", args.workspace, "--text", "--quiet"]
        subprocess.run([*report, *(runs / name for name in started)], check=True)
    waiting = [name for name in environments if name not in started]
    if waiting:
        named = ", ".join(waiting[:20]) + (f" and {len(waiting) - 20} more" if len(waiting) > 20 else "")
        print(f"not started: {named}")
    ledger = runs / ".fleet" / "ledger"
    if (ledger / "ledger.json").exists():
        status = subprocess.run([args.bin / "fleet-ledger", "status", ledger], capture_output=True, text=True)
        print(f"ledger: {status.stdout.strip()}" if status.returncode == 0 else "ledger: the fleet is not running")


if __name__ == "__main__":
    main()
