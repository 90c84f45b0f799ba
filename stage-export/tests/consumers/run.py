"""Exports tasks and loads them with the software that uses them.

    python3 run.py TARGET_DIR DEMO GYM_ANYTHING [PART...]

TARGET_DIR holds debug/stage-export; virtual environments go to TARGET_DIR/exports. DEMO is the workspace of `make demo`.
GYM_ANYTHING is a checkout of gym-anything, or empty, which leaves out the parts that need it. Needs PyPI, and a Python
3.12 or later in PATH (or named by PYTHON). Harbor, for which docker needs its compose plugin, and GRASP run the tasks in
containers where an engine answers, or dockerd can be started: on BASE_IMAGE, or on a desktop made of Debian's packages.
SOLUTIONS names a folder of solutions, if the demo has none. Exits with 1 if a part fails, 2 if it cannot start; parts
that cannot run are named.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

import grasp_package
import harbor_tasks
import huggingface
import splits
import verifiers_package

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
# Starts dockerd as the tests of stage-verify-task do.
sys.path.append(str(REPOSITORY / "stage-verify-task/tests/live"))
import engines  # noqa: E402

IN_CONTAINERS = {"harbor", "grasp"}
DESKTOP = "verify-task-desktop:bookworm"
ENV = "gnucash_env"
PARTS = {"splits": splits.run, "huggingface": huggingface.run, "harbor": harbor_tasks.run,
         "verifiers": verifiers_package.run, "grasp": grasp_package.run}


class Skipped(Exception):
    """The part cannot run here."""


class Test:
    def __init__(self, target, demo, gym_anything, scratch):
        self.program = target / "debug/stage-export"
        self.venvs = target / "exports"
        self.demo, self.scratch, self.checkout = demo, scratch, gym_anything

    @property
    def gym_anything(self):
        if not (self.checkout and (self.checkout / "benchmarks/cua_world/registry/splits.py").is_file()):
            raise Skipped("set GYM_ANYTHING to a checkout of gym-anything")
        return self.checkout

    def export(self, *arguments):
        """Exports the demo twice, and ensures that the second time changed nothing."""
        command = [self.program, "--workspace", self.demo, "--env-dir", ENV, "--quiet", *arguments]
        folder = self.scratch / "export"
        contents = []
        for _ in range(2):
            subprocess.run(
                [*command, "--export-dir", folder],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            contents.append([(path.relative_to(folder), path.stat().st_mode, path.read_bytes()) for path in files])
        assert contents[0] == contents[1], "the second export differs"
        return folder

    def solutions(self):
        """The option that names recorded solutions, where SOLUTIONS does."""
        folder = os.environ.get("SOLUTIONS")
        return ["--solutions", pathlib.Path(folder).resolve()] if folder else []

    def python(self, name, *packages):
        """The Python of a virtual environment that has these packages."""
        folder = self.venvs / name
        wanted = "\n".join(packages)
        noted = folder / "packages"
        if not noted.exists() or noted.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([newest_python(), "-m", "venv", folder], check=True)
            subprocess.run([folder / "bin/pip", "install", "--quiet", *packages], check=True)
            noted.write_text(wanted)
        return folder / "bin/python"

    def install(self, python, package):
        """Installs a package from a copy of its folder, into which the build writes."""
        copy = self.scratch / "package"
        shutil.copytree(package, copy)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", copy], check=True)

    def check(self, python, script, *arguments, **variables):
        """Runs a script of this folder, and returns the last line that it printed."""
        done = subprocess.run(
            [python, HERE / script, *arguments],
            text=True,
            stdout=subprocess.PIPE,
            cwd=self.scratch,
            env={**os.environ, **variables},
        )
        assert done.returncode == 0, f"{script} ended with {done.returncode}\n{done.stdout}"
        return done.stdout.strip().splitlines()[-1]


def newest_python():
    """A Python of version 3.12 or later."""
    names = [os.environ.get("PYTHON"), "python3", "python3.13", "python3.12"]
    for name in filter(None, names):
        asked = subprocess.run([name, "-c", "import sys; print(sys.version_info >= (3, 12))"], capture_output=True) \
            if shutil.which(name) else None
        if asked and asked.stdout.strip() == b"True":
            return name
    raise Skipped("there is no Python 3.12 or later in PATH; set PYTHON")


def main(target, demo, gym_anything, *wanted):
    target, demo = pathlib.Path(target).resolve(), pathlib.Path(demo).resolve()
    checkout = pathlib.Path(gym_anything).resolve() if gym_anything else None
    if not (demo / "task_generation_runs" / ENV / "probes.jsonl").exists():
        print(f"test-exports: {demo} is not the workspace of a demo; run make demo", file=sys.stderr)
        return 2
    parts = {name: part for name, part in PARTS.items() if not wanted or name in wanted}
    results = {}
    with containers() if IN_CONTAINERS & set(parts) else contextlib.nullcontext():
        for name, part in parts.items():
            started = time.monotonic()
            with tempfile.TemporaryDirectory(prefix="test-exports-") as scratch:
                results[name] = outcome(part, Test(target, demo, checkout, pathlib.Path(scratch)))
            print(f"test-exports: {name}: {results[name]} ({time.monotonic() - started:.0f} s)", flush=True)
    failed = sum(result.startswith("FAILED") for result in results.values())
    skipped = sum(result.startswith("SKIPPED") for result in results.values())
    print(f"test-exports: {len(results) - failed - skipped} parts passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 2 if skipped == len(results) else 0


@contextlib.contextmanager
def containers():
    """Sets BASE_IMAGE, and starts dockerd if no engine answers. Does nothing where that is not possible."""
    if "BASE_IMAGE" in os.environ or (not engines.answers() and engines.why_no_daemon()):
        yield
        return
    with engines.engine() as network:
        subprocess.run([REPOSITORY / "examples/demo/desktop_image.sh", "bookworm", DESKTOP], check=True)
        os.environ["BASE_IMAGE"] = DESKTOP
        if network == "host":
            # The engine has no bridge; the tasks of the demo need no network.
            os.environ["NETWORK"] = "none"
        yield


def outcome(part, test):
    try:
        return part(test)
    except Skipped as why:
        return f"SKIPPED: {why}"
    except (AssertionError, subprocess.SubprocessError) as error:
        traceback.print_exc()
        return f"FAILED: {error}"


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
