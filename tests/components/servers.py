"""What components of several servers have in common: each is a session of its own with a log, and all go with one directory."""
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

from ports import free_ports


class PortTaken(Exception):
    pass


def main(doc, name, count, run, stop_signals=(signal.SIGTERM, signal.SIGKILL)):
    """A component's command line. run(home, ports) starts its servers and returns the endpoint; again after PortTaken."""
    if len(sys.argv) != 3 or sys.argv[1] not in ("start", "stop"):
        sys.exit(doc)
    home = pathlib.Path(sys.argv[2]).absolute()
    if sys.argv[1] == "stop":
        return stop(home, stop_signals)
    if (home / "pids").exists():
        sys.exit(f"{home} is in use.")
    if home.exists() and any(home.iterdir()):
        sys.exit(f"{home} is not empty, and would be removed in the end.")
    for tries_left in reversed(range(5)):
        home.mkdir(parents=True, exist_ok=True)
        (home / "pids").touch()
        try:
            return print(run(home, free_ports(count)))
        except Exception as error:
            for log in sorted(home.glob("*.log")):
                sys.stderr.write(f"--- {log.name}\n" + "".join(read(log).splitlines(keepends=True)[-40:]))
            stop(home, stop_signals)
            if not isinstance(error, PortTaken) or not tries_left:
                sys.exit(f"{name} did not start: {error}")


def launch(home, name, *command):
    """Starts a server with DIR on its command line, which is how `stop` knows it."""
    with open(home / f"{name}.log", "ab") as log:
        # A session of its own, so that Ctrl-C ends the tests first and this by `stop`.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    with open(home / "pids", "a") as pids:
        pids.write(f"{process.pid}\n")
    return process


def wait_for_port(process, port, log, taken):
    """Waits until this server listens: whoever took the port in between would answer as well. Its log says `taken` then."""
    def listening():
        try:
            return listens(process.pid, port)
        except OSError:
            return False

    try:
        wait_until(listening, process)
    except ChildProcessError:
        if taken in read(log):
            raise PortTaken(f"port {port} was taken") from None
        raise


def wait_for_answer(process, port, log, taken):
    wait_for_port(process, port, log, taken)

    def answers():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("OPTIONS", "/")
            return connection.getresponse().read() is not None
        except OSError:
            return False

    wait_until(answers, process)


def wait_until(happened, *processes):
    """Waits for something that these servers do."""
    deadline = time.monotonic() + 60
    while not happened():
        for process in processes:
            if process.poll() is not None:
                raise ChildProcessError(f"{process.args[0]} ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError("nothing comes of " + (", ".join(process.args[0] for process in processes) or "it"))
        time.sleep(0.02)


def stop(home, signals):
    pids = [int(pid) for pid in read(home / "pids").split()]
    for number in signals:
        for pid in filter(lambda pid: is_ours(pid, home), pids):
            os.kill(pid, number)
        deadline = time.monotonic() + 3
        while any(is_ours(pid, home) for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.02)
    if (home / "pids").exists():
        shutil.rmtree(home, ignore_errors=True)


def listens(pid, port):
    """proc(5): the table of sockets has the address, the state (0A is LISTEN) and the inode that a descriptor names."""
    table = [line.split() for line in read(pathlib.Path("/proc/net/tcp")).splitlines()[1:]]
    sockets = {f"socket:[{each[9]}]" for each in table if each[1].endswith(f":{port:04X}") and each[3] == "0A"}
    return any(os.readlink(each) in sockets for each in pathlib.Path(f"/proc/{pid}/fd").iterdir())


def is_ours(pid, home):
    """The number may belong to another process by now: ours have the directory on their command line."""
    command = read(pathlib.Path(f"/proc/{pid}/cmdline"))
    return f"{home}/" in command


def read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
