"""slurmdbd and its MariaDB, with their state below the directory of a cluster."""

import subprocess
from pathlib import Path

from slurm_lab.waiting import answers, free_ports, wait_for

PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacctmgr", "sacct")
ACCOUNT = "vision"


class Accounting:
    """The accounting of the cluster `lab`, whose only account is ACCOUNT."""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        """Put everything below `directory`; `environment` names the cluster's slurm.conf.

        MariaDB deletes temporary files of other servers, so each has its own directory for them.
        """
        self.directory, self.environment = directory, {**environment, "TMPDIR": str(directory / "run")}
        self._port, self._database_port = free_ports(2)
        self.database: subprocess.Popen[bytes] | None = None

    def slurm_conf(self) -> str:
        """Return the lines for slurm.conf: jobs of unknown accounts are refused, ended ones forgotten soon."""
        return f"""
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={self._port}
AccountingStoragePass={self.directory}/run/munge.socket
AccountingStorageEnforce=associations,qos
MinJobAge=2
"""

    def start(self) -> None:
        """Start both daemons. munged already runs, slurmctld does not yet."""
        database = self.directory / "database"
        install = ["--no-defaults", "--user=root", f"--datadir={database}", "--skip-test-db"]
        self._run("mariadb-install-db", *install, "--auth-root-authentication-method=normal")
        self._start_database(database)
        conf = self.directory / "slurmdbd.conf"
        conf.write_text(self._slurmdbd_conf())
        conf.chmod(0o600)
        self._run("slurmdbd")
        wait_for(lambda: self._manage("show", "cluster").returncode == 0, 180, "slurmdbd")
        added = ["cluster lab", f"account {ACCOUNT} cluster=lab", f"user root account={ACCOUNT} cluster=lab"]
        for words in added:
            done = self._manage("add", *words.split())
            assert done.returncode == 0, done.stdout + done.stderr

    def _start_database(self, database: Path) -> None:
        run = self.directory / "run"
        places = [f"--datadir={database}", f"--socket={run}/mariadb.socket", f"--pid-file={run}/mariadbd.pid"]
        address = ["--bind-address=127.0.0.1", f"--port={self._database_port}"]
        small = ["--innodb-log-file-size=8M", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0"]
        with (self.directory / "log/mariadbd.log").open("w") as log:
            command = ["mariadbd", "--no-defaults", "--user=root", *places, *address, *small]
            # The process is kept: the cluster ends it by its pid, so it must not be collected while it runs.
            self.database = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        wait_for(lambda: answers(self._database_port), 180, "MariaDB")

    def reap(self) -> None:
        """Collect the process after the cluster has ended everything."""
        if self.database is not None:
            self.database.wait(60)

    def _slurmdbd_conf(self) -> str:
        where = self.directory
        return f"""
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={self._port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={where}/run/munge.socket
LogFile={where}/log/slurmdbd.log
PidFile={where}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={self._database_port}
StorageUser=root
StorageLoc=slurm_acct
"""

    def _manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["sacctmgr", "--immediate", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=180, check=False)

    def _run(self, *command: str) -> None:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
