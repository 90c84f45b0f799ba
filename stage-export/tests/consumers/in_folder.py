"""A folder in place of a container: what a task leaves is put into it, and `chroot` makes it the root of a verifier."""

import json
import subprocess

SYSTEM = ("bin", "dev", "etc", "lib", "lib64", "sbin", "usr")
ENTER = f"""
cd "$1" && shift
for name in {' '.join(SYSTEM)}; do
    [ ! -e /$name ] || {{ mkdir -p $name && mount --rbind /$name $name; }}
done
exec chroot . "$@"
"""


def write(root, path, data):
    """Writes a file of the container."""
    target = root / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)


def write_state(root, state, image):
    """Writes the files of a fixture, and the scripts of the environment's image."""
    for path, content in state["files"].items():
        write(root, path, (content if isinstance(content, str) else json.dumps(content)).encode())
    for script in image.glob("*.sh"):
        write(root, f"/opt/task-environment/{script.name}", script.read_bytes())


def run(root, command, variables=None):
    """Runs a command in the folder."""
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", ENTER, "sh", root, *command]
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/tmp", **(variables or {})}
    return subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
