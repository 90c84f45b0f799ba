"""The table of environments: its columns, and what is wrong with it.

A table is a file of lines whose columns are separated by tabs. The first line names the columns. Empty lines and
lines that start with `#` are skipped. Every column becomes variables of `make run`.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

PLATFORMS = ("linux", "web", "windows", "android", "macos")
AGENTS = ("claude", "command", "existing")
# Further arguments of a stage, as `make` takes them.
ARGUMENTS = ("propose_args", "amplify_args", "extract_args", "verify_args", "probe_args", "task_args")
# The variable of make that each column sets. A budget and a platform are arguments of a stage.
VARIABLES = {
    "software": "SOFTWARE",
    "model": "MODEL",
    "count": "COUNT",
    "workers": "NUM_WORKERS",
    "agent": "AGENT",
    "seed_count": "SEED_COUNT",
} | {name: name.upper() for name in ARGUMENTS}
COLUMNS = ("env", *VARIABLES, "budget", "platform")
REQUIRED = ("env", "software")
ENVIRONMENTS = Path("benchmarks/cua_world/environments")
MAX_ERRORS = 20


class TableError(Exception):
    """The table cannot be used. The message has a line for each reason."""


@dataclass(frozen=True)
class Environment:
    """A line of the table."""

    # Of its folder, and of its run directory.
    name: str
    # The variables of `make run`, without those that the table leaves to it.
    variables: dict


def read(path, workspace):
    """The environments of the table at `path`, by name. Names are looked up in `workspace`."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if is_row(line)]
    if not lines:
        raise TableError(f"{path}: has no line with the names of the columns, such as: env<TAB>software<TAB>count")
    number, header = lines[0]
    columns = header_columns(f"{path}:{number}", header)
    errors, environments = [], {}
    for number, line in lines[1:]:
        place = f"{path}:{number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) > len(columns):
            errors.append(f"{place}: has {len(cells)} columns, the first line names {len(columns)}")
            continue
        row = {name: cell for name, cell in zip(columns, cells) if cell}
        wrong = [f"{place}: {name}: {reason}" for name, reason in problems(row, workspace)]
        if not wrong:
            environment = resolve(row, workspace)
            if environment.name in environments:
                wrong.append(f"{place}: env: {environment.name} is in the table twice; it has one run directory")
            environments[environment.name] = environment
        errors += wrong
    if not environments and not errors:
        errors.append(f"{path}: names no environment")
    if errors:
        more = [f"{path}: {len(errors) - MAX_ERRORS} more errors"] if len(errors) > MAX_ERRORS else []
        raise TableError("\n".join(errors[:MAX_ERRORS] + more))
    return environments


def is_row(line):
    return bool(line.strip()) and not line.startswith("#")


def header_columns(place, header):
    columns = [name.strip() for name in header.split("\t")]
    known = f"the columns are {', '.join(COLUMNS)}, separated by tabs"
    for name in columns:
        if name not in COLUMNS:
            raise TableError(f"{place}: {name or 'a column without a name'}: is not a column; {known}")
        if columns.count(name) > 1:
            raise TableError(f"{place}: {name}: is there twice")
    for name in REQUIRED:
        if name not in columns:
            raise TableError(f"{place}: {name}: is missing; {known}")
    return columns


def problems(row, workspace):
    """What is wrong with a row: names of columns, and reasons."""
    for name in REQUIRED:
        if name not in row:
            yield name, "is empty"
    if "env" in row:
        yield from (("env", reason) for reason in env_problems(row["env"], workspace))
    for name in ("count", "seed_count", "workers"):
        if name in row and not re.fullmatch(r"[1-9][0-9]{0,5}", row[name]):
            yield name, f"{row[name]!r} is not a whole number from 1"
    if "budget" in row and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", row["budget"]):
        yield "budget", f"{row['budget']!r} is not an amount in US dollars, such as 5 or 0.50"
    if row.get("agent", AGENTS[0]) not in AGENTS:
        yield "agent", f"{row['agent']!r} is not one of {', '.join(AGENTS)}"
    for platform in row.get("platform", PLATFORMS[0]).split(","):
        if platform.strip() not in PLATFORMS:
            yield "platform", f"{platform.strip()!r} is not one of {', '.join(PLATFORMS)}"
    if re.search(r"\s", row.get("model", "")):
        yield "model", f"{row['model']!r} has a space"
    if re.search(r'["$`\\]', row.get("software", "")):
        yield "software", f"{row['software']!r} has a character that a shell expands"
    for name in ARGUMENTS:
        try:
            shlex.split(row.get(name, ""))
        except ValueError as error:
            yield name, f"{row[name]!r} is not a list of arguments: {error}"


def env_problems(env, workspace):
    folder = locate(env, workspace)
    if re.search(r"\s", env):
        yield f"{env!r} has a space, which make cannot handle"
    elif not folder.is_dir():
        yield f"there is no folder {folder}"
    elif not (folder / "env.json").is_file() and not (folder / "env.yaml").is_file():
        yield f"{folder} has no env.json"


def locate(env, workspace):
    """The folder of an environment: a path, or a name in the workspace, as the stages look it up."""
    places = [Path(env), Path(workspace) / ENVIRONMENTS / env, Path(workspace) / env]
    return next((place for place in places if place.is_dir()), places[1])


def resolve(row, workspace):
    variables = {variable: row[name] for name, variable in VARIABLES.items() if name in row}
    if "budget" in row:
        append(variables, "AMPLIFY_ARGS", f"--max-cost {row['budget']}")
    if "platform" in row:
        append(variables, "PROPOSE_ARGS", f"--platform {row['platform'].replace(' ', '')}")
    return Environment(Path(row["env"]).name, {"ENV_DIR": row["env"]} | variables)


def append(variables, name, arguments):
    variables[name] = f"{arguments} {variables.get(name, '')}".strip()
