# Answers questions about the modules that this Python has, a line of JSON for each, without importing one.
import sys

# With -c, the working directory comes first on the path; nothing may be imported from there.
if sys.path and sys.path[0] == "":
    del sys.path[0]

import importlib.machinery
import importlib.util
import json
import site


def find(name):
    try:
        return importlib.util.find_spec(name)
    except Exception:
        return None


def find_dotted(name):
    first, *rest = name.split(".")
    spec = find(first)
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = spec.name + "." + part
        spec = importlib.machinery.PathFinder.find_spec(name, spec.submodule_search_locations)
    return spec


def locate(name):
    # A few modules stand in for others, as posixpath does for os.path.
    module = sys.modules.get(name)
    if module is not None and getattr(module, "__file__", None):
        origin = module.__file__
    else:
        try:
            spec = find_dotted(name)
        except Exception:
            spec = None
        if spec is None:
            return "missing"
        origin = spec.origin or ""
    return {"source": origin} if origin.endswith(".py") else "opaque"


def say(answer):
    print(json.dumps(answer), flush=True)


say(
    {
        "version": list(sys.version_info[:2]),
        "standard": sorted(getattr(sys, "stdlib_module_names", ())),
        "path": sys.path + [site.getusersitepackages()],
    }
)
for line in sys.stdin:
    question, name = next(iter(json.loads(line).items()))
    say(find(name) is not None if question == "installed" else locate(name))
