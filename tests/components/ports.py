#!/usr/bin/python3
"""Prints ports that nobody on this machine listens on, for servers which cannot bind to 0 and tell what they got.

    ports.py COUNT

They are below those that the system gives to outgoing connections: a build opens hundreds of these between the choice and
the server's own bind. Another server may still come first, so whoever uses one must be ready to start again with others.
"""
import contextlib
import random
import socket
import sys


def free_ports(count):
    with open("/proc/sys/net/ipv4/ip_local_port_range") as given:
        end = int(given.read().split()[0])
    if end < 20_000:  # nearly everything is given out: the usual range is as good as any
        end = 32_768
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            port = random.randrange(end - 10_000, end)
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                ports.append(port)
        return ports


if __name__ == "__main__":
    print(*free_ports(int(sys.argv[1])))
