"""Messages between processes of this project: a length, then JSON; open files may travel with one."""

import json
import os
import socket

LENGTH_BYTES = 8
PATIENCE_S = 60.0
"""How long a server waits for an order that a client has begun to send: a client that is stopped must not stop all others."""


def send(connection: socket.socket, message: object, files: tuple[int, ...] = ()) -> None:
    """Send `message`, and duplicates of the open files `files`."""
    body = json.dumps(message, separators=(",", ":")).encode()
    length = len(body).to_bytes(LENGTH_BYTES, "big")
    if files:
        socket.send_fds(connection, [length], list(files))
    else:
        connection.sendall(length)
    connection.sendall(body)


def receive(connection: socket.socket, most_files: int = 0) -> tuple[object, list[int]] | None:
    """The next message and the files that came with it.

    None, and no file stays open, where the other side has closed, is gone, or is silent for longer than the connection's timeout.
    """
    files: list[int] = []
    try:
        head, files, _, _ = socket.recv_fds(connection, LENGTH_BYTES, most_files)
        if head:
            head += _read(connection, LENGTH_BYTES - len(head))
            return json.loads(_read(connection, int.from_bytes(head, "big"))), files
    except (ConnectionError, TimeoutError):
        pass
    for file in files:
        os.close(file)
    return None


def _read(connection: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes. Raises ConnectionError where the other side ends before."""
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(min(count - len(parts), 1 << 20))
        if not part:
            raise ConnectionResetError("the other side has closed in the middle of a message")
        parts += part
    return bytes(parts)
