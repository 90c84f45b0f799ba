"""Learns skills on the exported tasks: python -m grasp_tasks"""

import argparse
import functools
import pathlib

from grasp import run_grasp

from . import Container, ExportedTasks, gym_anything

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(prog="python -m grasp_tasks", description="Runs GRASP's loop on the exported tasks.")
    parser.add_argument("--environments", type=pathlib.Path, metavar="DIR",
                        help="run tasks with gym-anything, in this folder of environments; in containers without it")
    parser.add_argument("--network", help="the network of containers that have one; that of docker by default")
    parser.add_argument("--only", action="append", metavar="TASK", help="only this task; may be repeated")
    parser.add_argument("--max-steps", type=int, help="end every episode after so many replies")
    parser.add_argument("--agent", default="local", help="the preset of the model, in --agents-dir [local]")
    parser.add_argument("--agents-dir", type=pathlib.Path, default=HERE / "agents", help="the folder of the presets")
    parser.add_argument("--config", type=pathlib.Path, default=HERE / "config.yaml", help="another config.yaml")
    parser.add_argument("--run-name", help="the folder of the run in output_dir; the time by default")
    parser.add_argument("--resume", action="store_true", help="go on with the run of that name")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the config")
    args = parser.parse_args()
    if args.environments:
        open_environment = gym_anything(args.environments)
    else:
        open_environment = functools.partial(Container, network=args.network)
    task = ExportedTasks(open_environment, args.only, args.max_steps)
    run = run_grasp(task, args.config, overrides=[f"skills.base_dir={HERE / 'skills/base'}", *args.set],
                    agent=args.agent, run_name=args.run_name, resume=args.resume, agents_dir=args.agents_dir)
    print(f"the skills are in {run / 'skills/learned'}")


if __name__ == "__main__":
    main()
