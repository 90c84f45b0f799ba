"""A SLURM of one machine in a temporary folder: munged, slurmctld and slurmd, as Debian packages them.

Nothing is installed: where the programs are not in the search path, the packages are unpacked in the folder.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PACKAGES = "munge libmunge2 libhwloc15 liblua5.1-0 slurm-wlm-basic-plugins slurm-client slurmctld slurmd".split()
# The node says that it has these, so that the jobs that only wait for a model run side by side.
PROCESSORS = 48
START_SECONDS = 30


class NoSlurm(Exception):
    """It cannot be set up; the message says why."""


class Slurm:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.packages = self.folder / "packages"
        self.processes = {}
        self.environment = {}

    def __enter__(self):
        try:
            self.unpack()
            self.configure()
            self.start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.environment:
            subprocess.run([self.program("scancel"), "--user", "root"], env=self.full_environment(), check=False)
            time.sleep(1)
        for name in ("slurmd", "slurmctld", "munged"):
            if name in self.processes:
                self.kill(name, signal.SIGTERM)

    def unpack(self):
        if os.geteuid() != 0:
            raise NoSlurm("slurmd starts jobs as their users, so it needs root")
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            raise NoSlurm("it takes the packages of Debian or Ubuntu: apt-get and dpkg are missing")
        debs = self.folder / "debs"
        debs.mkdir(parents=True)
        got = subprocess.run(["apt-get", "download", "-qq", *PACKAGES], cwd=debs, capture_output=True, text=True)
        if got.returncode != 0:
            raise NoSlurm(f"its packages cannot be downloaded; try `apt-get update`:\n{got.stderr}")
        for package in debs.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, self.packages], check=True)
        self.libraries = next(self.packages.glob("usr/lib/*/slurm-wlm"))

    def program(self, name):
        places = [self.packages / "usr" / place / (name + suffix) for place in ("bin", "sbin") for suffix in ("-wlm", "")]
        return next(place for place in places if place.exists())

    def configure(self):
        host = socket.gethostname().split(".")[0]
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir(mode=0o755)
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        control, daemon = free_port(), free_port()
        config = self.folder / "slurm.conf"
        config.write_text(f"""ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={daemon}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={munge}/socket
CredType=cred/munge
PluginDir={self.libraries}
StateSaveLocation={self.folder}/state
SlurmdSpoolDir={self.folder}/spool
SlurmctldPidFile={self.folder}/slurmctld.pid
SlurmdPidFile={self.folder}/slurmd.pid
SlurmctldLogFile={self.folder}/slurmctld.log
SlurmdLogFile={self.folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,bf_interval=1
SlurmdParameters=config_overrides
MinJobAge=600
ReturnToService=2
SlurmdTimeout=60
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs={PROCESSORS} RealMemory=200000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
        paths = [str(self.libraries.parent), str(self.libraries)]
        programs = self.folder / "bin"
        programs.mkdir()
        for program in (self.packages / "usr/bin").iterdir():
            (programs / program.name).symlink_to(program)
        # Snakemake clears SLURM_CONF within a job: it expects the configuration of the site at its usual place.
        srun = programs / "srun"
        srun.unlink()
        srun.write_text(f'#!/bin/sh\nSLURM_CONF={config} exec {self.program("srun")} "$@"\n')
        srun.chmod(0o755)
        self.environment = {
            "SLURM_CONF": str(config),
            "LD_LIBRARY_PATH": ":".join(paths),
            "PATH": f"{programs}:{os.environ['PATH']}",
        }

    def full_environment(self):
        return os.environ | self.environment

    def start_all(self):
        munge = self.folder / "munge"
        self.start(
            "munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
            f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed",
        )
        wait_for("munged", lambda: (munge / "socket").exists())
        self.start("slurmctld", "-D", "-i")
        self.start_slurmd()
        wait_for("the node", lambda: "idle" in self.run("sinfo", "--noheader", "--format=%T"), self.logs)

    def start_slurmd(self):
        self.start("slurmd", "-D", "-d", str(self.program("slurmstepd")))

    def start(self, name, *arguments):
        log = open(self.folder / f"{name}.out", "ab")
        self.processes[name] = subprocess.Popen(
            [self.program(name), *arguments], env=self.full_environment(), stdout=log, stderr=log,
            start_new_session=True,
        )

    def kill(self, name, how):
        process = self.processes.pop(name)
        process.send_signal(how)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def run(self, name, *arguments):
        ran = subprocess.run(
            [self.program(name), *arguments], env=self.full_environment(), capture_output=True, text=True
        )
        return ran.stdout

    def logs(self):
        found = sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out"))
        return "\n".join(f"{path.name}: {path.read_text(errors='replace')[-1500:]}" for path in found)


def wait_for(what, is_there, logs=lambda: ""):
    end = time.monotonic() + START_SECONDS
    while not is_there():
        if time.monotonic() > end:
            raise NoSlurm(f"{what} is not ready after {START_SECONDS} s\n{logs()}")
        time.sleep(0.2)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
