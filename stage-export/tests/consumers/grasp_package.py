"""The package for GRASP, installed, and the loop run over it: recorded, and in containers where there are some."""

import harbor_tasks

PACKAGES = ["grasp-skills==0.1.0"]
# What gym-anything's environments need.
GYM_ANYTHING = ["jsonschema", "numpy", "paramiko", "Pillow", "pycryptodome", "PyYAML", "requests", "rich"]


def run(test):
    checkout = test.checkout
    python = test.python("grasp", *PACKAGES, *(GYM_ANYTHING if checkout else []))
    folder = test.export("--to", "grasp", *test.solutions())
    test.install(python, folder)
    arguments = ["recorded", folder, test.demo]
    if checkout:
        arguments.append(test.demo / "benchmarks/cua_world/environments")
    path = str(checkout / "src") if checkout else ""
    recorded = test.check(python, "run_grasp_loop.py", *arguments, PYTHONPATH=path)
    images = folder / "grasp_tasks/harbor"
    why_not = harbor_tasks.build(images)
    live = f"not live: {why_not}" if why_not else test.check(python, "run_grasp_loop.py", "live", folder, test.demo)
    return f"{recorded}; {live}"
