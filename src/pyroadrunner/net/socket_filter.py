"""Short BPF programs that the kernel runs for a socket (classic BPF, Linux only)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from contextlib import suppress

# From linux/filter.h and asm-generic/socket.h; the socket module does not define them.
_SO_ATTACH_FILTER = 26
_SO_DETACH_FILTER = 27
_SO_ATTACH_REUSEPORT_CBPF = 51
_LOAD_BYTE = 0x30  # A = the byte at k; a TCP socket's packet begins with its TCP header
_AND = 0x54  # A &= k
_SKIP_UNLESS_EQUAL = 0x15  # jt, jf: instructions to skip if A == k, and if not
_RETURN = 0x06

_FLAGS = 13  # offset of the flags in the TCP header
_SYN, _ACK = 0x02, 0x10
_DROP, _KEEP = 0, 0xFFFFFFFF

_Instruction = tuple[int, int, int, int]  # code, jt, jf, k


def steer_to_first(sock: socket.socket) -> None:
    """Direct all new connections to the older of two sockets that share a port with SO_REUSEPORT.

    Raises:
        OSError: the kernel refuses.
    """
    _steer(sock, 0)


def steer_to_second(sock: socket.socket) -> None:
    """Direct all new connections to the newer of two sockets that share a port with SO_REUSEPORT.

    Raises:
        OSError: the kernel refuses.
    """
    _steer(sock, 1)


def drop_handshakes(sock: socket.socket) -> None:
    """Make a listening socket ignore new handshakes: for the client the packet was lost, and it sends another after a
    second. Handshakes that have begun continue.

    Raises:
        OSError: the kernel refuses.
    """
    _attach(
        sock,
        _SO_ATTACH_FILTER,
        [
            (_LOAD_BYTE, 0, 0, _FLAGS),
            (_AND, 0, 0, _SYN | _ACK),
            (_SKIP_UNLESS_EQUAL, 0, 1, _SYN),
            (_RETURN, 0, 0, _DROP),
            (_RETURN, 0, 0, _KEEP),
        ],
    )


def accept_handshakes(sock: socket.socket) -> None:
    """Undo :func:`drop_handshakes`, also that of another process."""
    with suppress(OSError):  # no filter is attached
        sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)


def _steer(sock: socket.socket, place: int) -> None:
    _attach(sock, _SO_ATTACH_REUSEPORT_CBPF, [(_RETURN, 0, 0, place)])


def _attach(sock: socket.socket, option: int, program: Sequence[_Instruction]) -> None:
    import ctypes  # few starts need it

    # struct sock_filter {u16 code; u8 jt, jf; u32 k}, struct sock_fprog {u16 len; sock_filter *filter}
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("HP", len(program), ctypes.addressof(code)))
