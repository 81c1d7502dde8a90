"""A real SLURM with two nodes inside a temporary directory."""

import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from slurm_lab.accounting import Accounting
from slurm_lab.waiting import free_ports, wait_for

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel", "scontrol")
QUERIES = ("squeue", "sinfo", "scontrol")
"""Commands that may be repeated: on a loaded machine credentials expire on their way to the controller."""
KILL_WAIT = 5
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
NODES = {"node1": "a100", "node2": "v100"}


class Cluster:
    """slurmctld, two slurmd and munged, with their state below one directory."""

    def __init__(self, directory: Path, preemption_signal: str = "USR2", accounting: bool = False) -> None:
        self.directory, self.preemption_signal = directory, preemption_signal
        self.environment = {**os.environ, "PATH": system_path(), "SLURM_CONF": str(directory / "slurm.conf")}
        self.accounting = Accounting(directory, self.environment) if accounting else None
        self._ports = free_ports(3)

    def start(self) -> None:
        for name in ("state", "spool.node1", "spool.node2", "log", "run", "dev"):
            (self.directory / name).mkdir(parents=True)
        key = self.directory / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        for number in range(2):
            os.mknod(self.directory / "dev" / f"nvidia{number}", 0o666 | 0o020000, os.makedev(1, 3))
        (self.directory / "gres.conf").write_text(f"Name=gpu File={self.directory}/dev/nvidia[0-1]\n")
        (self.directory / "slurm.conf").write_text(self._configuration())
        run, log = self.directory / "run", self.directory / "log"
        munge = ["munged", "--force", "--key-file", key, "--socket", run / "munge.socket", "--num-threads", "10"]
        munge += ["--pid-file", run / "munged.pid", "--log-file", log / "munged.log", "--seed-file", run / "seed"]
        self.command(*munge)
        if self.accounting is not None:
            self.accounting.start()
        self.command("slurmctld")
        for node in NODES:
            self.command("slurmd", "-N", node)
        wait_for(lambda: self.command("sinfo", "-h", "-o", "%D %t").strip() == "2 idle", 120, "two idle nodes")

    def stop(self) -> None:
        if self._daemon("slurmctld") is not None:
            subprocess.run(["scancel", "--user=root"], env=self.environment, capture_output=True, check=False)
        for daemons in (("slurmd.node1", "slurmd.node2", "slurmctld", "slurmdbd"), ("mariadbd", "munged")):
            processes = [process for name in daemons if (process := self._daemon(name)) is not None]
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.terminate()
            psutil.wait_procs(processes, timeout=5)
        for process in self._processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.accounting is not None:
            self.accounting.reap()

    def _processes(self) -> list[psutil.Process]:
        """Return all processes of this cluster: daemons, jobs, Snakemake."""
        own = f"SLURM_CONF={self.environment['SLURM_CONF']}\0".encode()
        return [process for process in psutil.process_iter() if own in _environment(process.pid)]

    def command(self, *arguments: object) -> str:
        words = [str(argument) for argument in arguments]
        for _ in range(10 if words[0] in QUERIES else 1):
            done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=180, check=False)
            if done.returncode == 0:
                return done.stdout
            time.sleep(1)
        raise AssertionError(f"{words}: {done.stderr}")

    def jobs(self, states: str = "all") -> dict[str, str]:
        """Return id → state."""
        rows = self.command("squeue", "-h", f"--states={states}", "-o", "%i %T").splitlines()
        return dict(row.split() for row in rows)

    def active(self) -> dict[str, str]:
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT")
        return {job: state for job, state in self.jobs().items() if state not in ended}

    def wait_until_running(self, count: int = 1) -> list[str]:
        wait_for(lambda: list(self.jobs().values()).count("RUNNING") >= count, 180, f"{count} running jobs")
        return sorted(job for job, state in self.jobs().items() if state == "RUNNING")

    def _daemon(self, name: str) -> psutil.Process | None:
        try:
            return psutil.Process(int((self.directory / "run" / f"{name}.pid").read_text()))
        except (FileNotFoundError, psutil.NoSuchProcess):
            return None

    def _configuration(self) -> str:
        host, where = socket.gethostname().split(".")[0], self.directory
        controller, *node_ports = self._ports
        user_signal = "SlurmctldParameters=preempt_send_user_signal" if self.preemption_signal == "USR2" else ""
        accounting = self.accounting.slurm_conf() if self.accounting else NO_ACCOUNTING
        nodes = "".join(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 RealMemory=8000 Gres=gpu:2 "
            f"Feature={feature} State=UNKNOWN\n"
            for (node, feature), port in zip(NODES.items(), node_ports, strict=True)
        )
        return f"""
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={where}/run/munge.socket,cred_expire=8
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SlurmdParameters=config_overrides
ReturnToService=2
StateSaveLocation={where}/state
SlurmdSpoolDir={where}/spool.%n
SlurmctldPidFile={where}/run/slurmctld.pid
SlurmdPidFile={where}/run/slurmd.%n.pid
SlurmctldLogFile={where}/log/slurmctld.log
SlurmdLogFile={where}/log/slurmd.%n.log
SchedulerParameters=batch_sched_delay=0,bf_interval=5,sched_interval=2,requeue_delay=0
{user_signal}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait={KILL_WAIT}
MessageTimeout=30
TCPTimeout=10
BatchStartTimeout=60
JobAcctGatherType=jobacct_gather/none
{accounting}
{nodes}
PartitionName=main Nodes=node[1-2] Default=YES DefaultTime=10 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=preempt Nodes=node[1-2] MaxTime=60 DefaultTime=10 PriorityTier=1 PreemptMode=REQUEUE GraceTime=30 State=UP
"""


def system_path() -> str:
    own = str(Path(sys.executable).parent)
    return os.pathsep.join([own, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _environment(pid: int) -> bytes:
    """Return the environment, unparsed, because slurmstepd writes its title over the beginning."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return b""
