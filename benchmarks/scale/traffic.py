"""This module counts what training processes send each other, as it leaves and by the compiled step."""

from __future__ import annotations

import os
import re
import socket
import struct

_SENT_AT = 200  # where Linux's struct tcp_info (since 4.19) has tcpi_bytes_sent, 8 bytes
_OPERATIONS = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute|collective-broadcast"
_COLLECTIVE = re.compile(rf"= (.*?) (?:{_OPERATIONS})(?:-start)?\(")
_SHAPE = re.compile(r"\b(pred|[a-z]+(\d+))\[([\d,]*)\]")


def bytes_sent() -> int:
    """Returns the bytes that this process has sent through its open TCP connections, repeats included.

    Linux counts them for each connection, so that nobody else's traffic is in the sum. Ray's own connections
    are: a few kilobytes a second.
    """
    total = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as one:
                if one.family not in (socket.AF_INET, socket.AF_INET6) or one.type != socket.SOCK_STREAM:
                    continue
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:  # closed meanwhile
            continue
        if len(info) >= _SENT_AT + 8:
            total += struct.unpack_from("Q", info, _SENT_AT)[0]
    return total


def collective_bytes(program: str) -> int:
    """Returns the bytes of all collective operations' results in a compiled program's text, each once.

    A process sends about twice as many in a ring of many processes, whatever their number.

    >>> collective_bytes("%a = f32[30,12]{1,0} all-reduce(%b), channel_id=1")
    1440
    >>> collective_bytes("%a = (f32[], s32[8]{0}) all-gather(%b, %c)")
    36
    """
    total = 0
    for shapes in _COLLECTIVE.findall(program):
        for kind, bits, sizes in _SHAPE.findall(shapes):
            cells = 1
            for size in filter(None, sizes.split(",")):
                cells *= int(size)
            total += cells * (1 if kind == "pred" else int(bits) // 8)
    return total
