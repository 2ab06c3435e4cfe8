# Copyright (c) 2026 The Baton authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people use today: two MariaDB servers with keepalived, whose check script asks the server and whose notify script promotes.

Semi-synchronous, with a time-out of a second, after which a source goes on alone. Every trial begins with a fresh pair, since who was
the source needs a person afterwards. Clients write through the virtual address; watchers ask each server, as they do with a set.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pymysql
from db_clients import DbClients
from engine_mariadb import Session, connect
from netns import boottime, run, wait_for, wait_until
from nodes import stop
from pool_hosts import ACCOUNT

VIP, PORT = "192.0.2.200", 3306
CONFIG = """\
[mariadbd]
server-id = {number}
datadir = {data}
socket = {folder}/sock
pid-file = {folder}/pid
log-error = {folder}/log
bind-address = 0.0.0.0
port = 3306
user = mysql
gtid-domain-id = 1
log-bin = bin
log-slave-updates = ON
binlog-format = ROW
sync-binlog = 1
innodb-flush-log-at-trx-commit = 1
skip-name-resolve = ON
read-only = ON
skip-slave-start = ON
slave-net-timeout = 10
performance-schema = OFF
innodb-buffer-pool-size = 128M
innodb-log-file-size = 32M
rpl-semi-sync-slave-enabled = ON
rpl-semi-sync-master-timeout = 1000
"""
MAKE = """FLUSH PRIVILEGES;
CREATE DATABASE lab;
CREATE TABLE lab.told (id BIGINT PRIMARY KEY);
CREATE USER lab@'%' IDENTIFIED BY '{password}';
GRANT ALL ON lab.* TO lab@'%';
CREATE USER repl@'%' IDENTIFIED BY 'repl';
GRANT REPLICATION SLAVE ON *.* TO repl@'%';
"""
KEEPALIVED = """\
global_defs {{
  script_user root
}}
vrrp_script check {{
  script "{folder}/check"
  interval 1
  timeout 1
  fall 2
  rise 2
}}
vrrp_instance v {{
  interface eth0
  state BACKUP
  nopreempt
  virtual_router_id 51
  priority {priority}
  version 2
  advert_int 1
  virtual_ipaddress {{ {vip}/24 dev eth0 }}
  track_script {{ check }}
  notify_master "{folder}/promote"
  notify_backup "{folder}/demote"
  notify_fault "{folder}/demote"
}}
"""
SQL = '#!/bin/sh\nexec mariadb --no-defaults --connect-timeout=1 --socket={folder}/sock -e "{statement}" >> {folder}/scripts.log 2>&1\n'
STATEMENTS = {
    "check": "SELECT 1",
    "promote": "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL rpl_semi_sync_master_enabled=ON; SET GLOBAL read_only=OFF",
    "demote": "SET GLOBAL read_only=ON; SET GLOBAL rpl_semi_sync_master_enabled=OFF",
}
FOLLOW = (
    "CHANGE MASTER TO MASTER_HOST='{address}', MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos,"
    " MASTER_CONNECT_RETRY=1"
)
SETTLED = 6.0  # seconds after a fault was mended in which who was the source may find out


class One:
    """A host with a server and keepalived."""

    def __init__(self, network, number):
        self.number, self.name, self.address = number, f"k{number}", f"192.0.2.{20 + number}"
        self.host = network.host(self.name, [f"{self.address}/24"])
        self.server = self.keepalived = None

    def start(self, folder: Path, template: Path):
        self.folder = folder / self.name
        self.folder.mkdir()
        data = self.folder / "data"
        shutil.copytree(template, data, symlinks=True)
        (self.folder / "my.cnf").write_text(CONFIG.format(number=self.number, data=data, folder=self.folder))
        for name, statement in STATEMENTS.items():
            path = self.folder / name
            path.write_text(SQL.format(folder=self.folder, statement=statement))
            path.chmod(0o700)
        run("chown", "-R", "mysql:mysql", str(data))
        run("chown", "mysql:mysql", str(self.folder))
        self.start_server()

    def start_server(self):
        with open(self.folder / "out", "ab") as log:
            command = ["mariadbd", f"--defaults-file={self.folder / 'my.cnf'}"]
            self.server = self.host.popen(*command, stdout=log, stderr=log)
        wait_for(lambda: self.asked("SELECT 1"), f"{self.name} serves", 60)

    def start_keepalived(self):
        text = KEEPALIVED.format(folder=self.folder, vip=VIP, priority=101 - self.number)
        (self.folder / "keepalived.conf").write_text(text)
        files = ["-f", f"{self.folder}/keepalived.conf", "-p", f"{self.folder}/k.pid", "-r", f"{self.folder}/v.pid"]
        with open(self.folder / "keepalived.log", "ab") as log:
            self.keepalived = self.host.popen("keepalived", "-n", "-l", "-D", *files, stdout=log, stderr=log)

    def asked(self, *statements):
        """Return what the last of some statements of root answers; None while it does not."""
        with suppress(pymysql.err.Error, OSError):
            with connect(unix_socket=f"{self.folder}/sock", user="root", read_timeout=30) as session:
                with session.cursor() as cursor:
                    for statement in statements:
                        cursor.execute(statement)
                    return cursor.fetchall()
        return None

    def holds(self):
        return any(cidr.startswith(f"{VIP}/") for cidr in self.host.addresses())

    def pids(self, everything):
        if not everything:
            return [self.server.pid]
        return [int(pid) for pid in run("ip", "netns", "pids", self.host.namespace).split()]

    def signal(self, number, everything):
        for pid in self.pids(everything):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self):
        for process in (self.keepalived, self.server):
            if process is not None:
                stop(process)
        self.signal(signal.SIGCONT, True)
        self.signal(signal.SIGKILL, True)
        with suppress(subprocess.CalledProcessError):
            self.host.ip("address", "delete", f"{VIP}/24", "dev", "eth0")


def template(folder: Path):
    """Return a directory of data from which both servers start, so that their histories are one."""
    data = folder / "template"
    options = ["--auth-root-authentication-method=socket", "--user=mysql", "--skip-test-db"]
    run("mariadb-install-db", "--no-defaults", f"--datadir={data}", *options)
    making = folder / "make.sql"
    making.write_text(MAKE.format(password=ACCOUNT["password"].replace("'", "''")))
    command = ["mariadbd", "--no-defaults", f"--datadir={data}", "--bootstrap", "--user=mysql", "--innodb-log-file-size=32M"]
    with open(making) as file:
        subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return data


def killed(old):
    """Nobody starts it again: what people do then is up to them."""
    old.signal(signal.SIGKILL, False)
    return old.start_server


def server_frozen(old):
    old.signal(signal.SIGSTOP, False)
    return lambda: old.signal(signal.SIGCONT, False)


def host_frozen(old):
    old.signal(signal.SIGSTOP, True)
    return lambda: old.signal(signal.SIGCONT, True)


def cut_off(old):
    old.host.connected(False)
    return lambda: old.host.connected(True)


def only_clients(old):
    """Clients hear it, its peer does not."""
    old.host.run("nft", "table inet cut { chain c { type filter hook output priority 0; ip daddr != 192.0.2.70 drop; }; }")
    return lambda: old.host.run("nft", "delete table inet cut")


FAULTS = {
    "source's server killed": killed,
    "source's server frozen": server_frozen,
    "source's host frozen": host_frozen,
    "source's host cut off": cut_off,
    "source cut off from all but clients": only_clients,
}


def trial(pair, client, folder, made, fault, rng):
    """Return (who was hurt, when that began and ended, the number of who was the source, what was acknowledged, rows of each server)."""
    try:
        for one in pair:
            one.start(folder, made)
        old, new = pair
        new.asked(FOLLOW.format(address=old.address), "START SLAVE")
        old.start_keepalived()
        wait_for(old.holds, "k1 holds the address", 30)
        wait_for(lambda: old.asked("SELECT @@global.read_only") == ((0,),), "k1 takes writes", 30)
        new.start_keepalived()
        wait_for(lambda: old.asked("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'")[0][1] == "1", "k2 acknowledges", 30)
        clients = DbClients(client, Session, ACCOUNT, [(one.address, PORT) for one in pair], [(VIP, PORT)])
        try:
            wait_for(lambda: clients.count() > 100, "clients write", 30)
            began = boottime()
            mend = FAULTS[fault](old)
            limit = boottime() + 20
            while not any(ack.server == new.number for ack in clients.acks) and boottime() < limit:
                wait_until(boottime() + 0.1)
            wait_until(boottime() + rng.uniform(0.5, 3.0))
            mend()
            wait_until(boottime() + SETTLED)
        finally:
            ended = boottime()
            clients.end()
        rows = [{row[0] for row in one.asked("SELECT id FROM lab.told") or ()} for one in pair]
        return old.name, began, ended, old.number, clients.acks, rows
    finally:
        for one in pair:
            one.end()
        for one in pair:
            shutil.rmtree(folder / one.name, ignore_errors=True)


def pair_of(network):
    return [One(network, 1), One(network, 2)]
