"""The splitter's administration: the part of HAProxy's runtime language that a release needs.

The answers are HAProxy 2.6's to the byte (tests/demo compares with a recording): success is an
empty line, an error is a text. What is not known here is answered as an unknown command.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable

from hatchway.demo.arms import CLASSES, MOST_WEIGHT, AdminState, Pool, Server

# The columns of `show stat`, in HAProxy's order, as far as this splitter can fill them.
COLUMNS = (
    "pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,"
    "wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,"
    "lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,hrsp_1xx,"
    "hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,hanafail,req_rate,req_rate_max,req_tot,"
    "cli_abrt,srv_abrt,comp_in,comp_out,comp_byp,comp_rsp,lastsess,last_chk,last_agt,qtime,ctime,"
    "rtime,ttime,agent_status,agent_code,agent_duration,check_desc,agent_desc,check_rise,check_fall,"
    "check_health,agent_rise,agent_fall,agent_health,addr,cookie,mode,algo"
)
_COLUMNS = COLUMNS.split(",")
STATE_COLUMNS = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port"
)
BACKEND_ID = 3
ADMIN_STATES: dict[AdminState, int] = {"ready": 0, "maint": 1, "drain": 8}
SET_SERVER_USAGE = (
    "usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | "
    "check-addr | check-port | fqdn | health | ssl | state | weight\n\n"
)
UNKNOWN = """Unknown command. Please enter one of the following commands only:
  disable server <bk>/<srv>               : disable a server for maintenance (use 'set server')
  enable server <bk>/<srv>                : enable a disabled server (use 'set server')
  get weight <bk>/<srv>                   : report a server's current weight
  set server <bk>/<srv> [opts]            : change a server's state, weight or address
  set weight <bk>/<srv>                   : change a server's weight (use 'set server')
  show info                               : report information about the running process
  show servers state [<backend>]          : dump volatile server information
  show stat [<backend> <types> <sid>]     : report counters for each server
  shutdown sessions server <bk>/<srv>     : kill sessions on a server

"""


class _Refused(Exception):
    """The command is not obeyed; the text is the whole answer."""


class Language:
    """Obeys commands for one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._started = time.monotonic()
        self._changed = {server.name: self._started for server in pool.servers}
        self._verbs: dict[tuple[str, ...], Callable[[list[str]], str]] = {
            ("set", "server"): self._set_server,
            ("set", "weight"): self._set_weight,
            ("get", "weight"): self._get_weight,
            ("enable", "server"): lambda words: self._admin(words, "ready"),
            ("disable", "server"): lambda words: self._admin(words, "maint"),
            ("shutdown", "sessions", "server"): self._shutdown,
            ("show", "stat"): self._show_stat,
            ("show", "info"): lambda _: self._show_info(),
            ("show", "servers", "state"): self._show_servers_state,
        }

    def answer(self, line: str) -> str:
        """The answers to one line of commands, separated by semicolons."""
        return "".join(self._one(command.split()) for command in line.split(";"))

    def _one(self, words: list[str]) -> str:
        for length in (3, 2):
            verb = self._verbs.get(tuple(words[:length]))
            if verb is not None:
                try:
                    return verb(words[length:])
                except _Refused as refused:
                    return str(refused)
        return UNKNOWN

    def _server(self, words: list[str]) -> Server:
        backend, slash, name = (words[0] if words else "").partition("/")
        if not slash:
            raise _Refused("Require 'backend/server'.\n\n")
        if backend != self._pool.name:
            raise _Refused("No such backend.\n\n")
        server = self._pool.named(name)
        if server is None:
            raise _Refused("No such server.\n\n")
        return server

    def _get_weight(self, words: list[str]) -> str:
        server = self._server(words)
        return f"{server.weight} (initial {server.initial_weight})\n\n"

    def _set_weight(self, words: list[str]) -> str:
        server = self._server(words)
        if len(words) < 2:
            raise _Refused("Require <weight> or <weight%>.\n\n")
        self._pool.weigh(server, _weight(words[1], server.initial_weight))
        self._touch(server)
        return "\n"

    def _set_server(self, words: list[str]) -> str:
        server = self._server(words)
        match words[1:]:
            case ["weight", *value]:
                return self._set_weight([words[0], *value])
            case ["state", "ready" | "drain" | "maint" as state, *_]:
                return self._admin(words, state)
            case ["state", *_]:
                raise _Refused("'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n")
            case ["addr"]:
                raise _Refused(
                    "set server <b>/<s> addr requires an address and optionally a port.\n\n"
                )
            case ["addr", host, *rest]:
                return self._set_address(server, host, rest[1] if rest[:1] == ["port"] else None)
        raise _Refused(SET_SERVER_USAGE)

    def _set_address(self, server: Server, host: str, port: str | None) -> str:
        said, to = [], server.port
        if host == server.host:
            said.append("no need to change the addr")
        else:
            said.append(f"IP changed from '{server.host}' to '{host}'")
        if port is not None and not re.fullmatch(r"\d{1,5}", port):
            said.append(f"problem converting port '{port}' to an int")
            return f"{', '.join(said)} by 'stats socket command'\n\n"
        if port is not None and (to := int(port)) == server.port:
            said.append("no need to change the port")
        elif port is not None:
            said.append(f"port changed from '{server.port}' to '{to}'")
        if (host, to) != (server.host, server.port):
            try:
                server.move(host, to)
            except ValueError:
                raise _Refused(f"Invalid addr '{host}' by 'stats socket command'\n\n") from None
        return f"{', '.join(said)} by 'stats socket command'\n\n"

    def _admin(self, words: list[str], state: AdminState) -> str:
        server = self._server(words)
        self._pool.set_state(server, state)
        self._touch(server)
        return "\n"

    def _touch(self, server: Server) -> None:
        self._changed[server.name] = time.monotonic()

    def _shutdown(self, words: list[str]) -> str:
        for upstream in tuple(self._server(words).under_way):
            upstream.shut()
        return "\n"

    def _show_info(self) -> str:
        facts = {
            "Name": "Hatchway splitter",
            "Nbthread": 1,
            "Nbproc": 1,
            "Process_num": 1,
            "Pid": os.getpid(),
            "Uptime_sec": int(time.monotonic() - self._started),
        }
        return "".join(f"{name}: {value}\n" for name, value in facts.items()) + "\n"

    def _show_servers_state(self, words: list[str]) -> str:
        pool = self._pool
        if words and words[0] != pool.name:
            raise _Refused("Can't find backend.\n\n")
        lines = ["1", f"# {STATE_COLUMNS}"]
        for server in pool.servers:
            since = int(time.monotonic() - self._changed[server.name])
            up, health = (0, 0) if server.state == "maint" else (2, 2)
            lines.append(
                f"{BACKEND_ID} {pool.name} {server.number} {server.name} {server.host} {up} "
                f"{ADMIN_STATES[server.state]} {server.weight} {server.initial_weight} {since} "
                f"1 0 {health} 0 0 0 0 - {server.port} - 0 0 - - 0"
            )
        return "\n".join(lines) + "\n\n"

    def _show_stat(self, words: list[str]) -> str:
        pool, types, which = self._pool, -1, -1
        if len(words) >= 3:
            if words[0] not in (pool.name, str(BACKEND_ID), "-1"):
                raise _Refused("No such proxy.\n\n")
            types, which = _number(words[1]), _number(words[2])
        rows = [f"# {COLUMNS},"]
        for server in pool.servers:
            if types & 4 and which in (-1, server.number):
                rows.append(_row(self._facts(server)))
        if types & 2 and which in (-1, 0):
            rows.append(_row(self._backend_facts()))
        return "\n".join(rows) + "\n\n"

    def _facts(self, server: Server) -> dict[str, object]:
        status = {"ready": "no check", "drain": "DRAIN", "maint": "MAINT"}[server.state]
        return {
            "pxname": self._pool.name,
            "svname": server.name,
            "scur": server.current,
            "smax": server.most,
            "stot": server.total,
            "bin": server.bytes_in,
            "bout": server.bytes_out,
            "econ": server.refused,
            "eresp": server.broken - server.refused,
            "status": status,
            "weight": server.effective,
            "act": 1,
            "bck": 0,
            "lastchg": int(time.monotonic() - self._changed[server.name]),
            "pid": 1,
            "iid": BACKEND_ID,
            "sid": server.number,
            "lbtot": server.total,
            "type": 2,
            **{f"hrsp_{name}": n for name, n in zip(CLASSES, server.responses, strict=True)},
            "req_tot": server.total,
            "cli_abrt": server.client_gone,
            "addr": f"{server.host}:{server.port}",
            "mode": "http",
            **dict.fromkeys(("qcur", "qmax", "dresp", "wretr", "wredis", "srv_abrt"), 0),
        }

    def _backend_facts(self) -> dict[str, object]:
        each = [self._facts(server) for server in self._pool.servers]
        summed = (
            *("scur", "stot", "bin", "bout", "econ", "eresp", "weight", "lbtot", "req_tot"),
            *("cli_abrt", *(f"hrsp_{name}" for name in CLASSES)),
        )
        facts: dict[str, object] = {key: sum(int(str(f[key])) for f in each) for key in summed}
        for key in ("stot", "req_tot", "hrsp_5xx"):
            facts[key] = int(str(facts[key])) + self._pool.unserved
        up = "UP" if facts["weight"] else "DOWN"
        names = {"pxname": self._pool.name, "svname": "BACKEND", "status": up}
        balance = {"mode": "http", "algo": "roundrobin"}
        return {**facts, **names, **balance, "pid": 1, "iid": BACKEND_ID, "sid": 0, "type": 1}


def _row(facts: dict[str, object]) -> str:
    return ",".join(str(facts.get(column, "")) for column in _COLUMNS) + ","


def _number(word: str) -> int:
    return int(word) if re.fullmatch(r"-?\d{1,9}", word) else 0


def _weight(word: str, initial: int) -> int:
    """Read a weight: absolute, or percent of the *configured* one, as HAProxy has it."""
    found = re.match(r"[+-]?\d{1,9}", word)
    if found is None:
        raise _Refused("Empty weight string empty or preceded by garbage\n")
    value, rest = int(found[0]), word[found.end() :]
    if rest == "%":
        if value < 0:
            raise _Refused("Relative weight must be positive.\n\n")
        return min(MOST_WEIGHT, initial * value // 100)
    if rest:
        raise _Refused("Trailing garbage in weight string\n")
    if not 0 <= value <= MOST_WEIGHT:
        raise _Refused(f"Absolute weight can only be between 0 and {MOST_WEIGHT} inclusive.\n\n")
    return value
