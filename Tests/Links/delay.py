"""Passes bytes on, each so many seconds after the kernel had it, both ways.

    delay.py 47010 127.0.0.1:47000 0.020

Its threads may wake late to read and lose nothing by it: what counts is the kernel's own stamp of
the arrival. Before it writes, a thread stops sleeping and looks at the clock.
"""
import queue, socket, struct, sys, threading, time

PIECE = 1 << 16
SO_TIMESTAMPNS = 35
SPIN = 0.0005


def arrival(ancillary):
    """When the last byte came, on the wall clock; now where the kernel does not say."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", data)
            return seconds + nanoseconds / 1e9
    return time.time()


def read(source, delay, ways):
    while True:
        try:
            data, ancillary, _, _ = source.recvmsg(PIECE, 64)
        except OSError:
            data, ancillary = b"", []
        ways.put((arrival(ancillary) + delay, data))
        if not data:
            return


def move(source, target, delay):
    ways = queue.Queue(maxsize=64)
    threading.Thread(target=read, args=(source, delay, ways), daemon=True).start()
    while True:
        due, data = ways.get()
        time.sleep(max(0, due - SPIN - time.time()))
        while time.time() < due:
            pass
        try:
            if not data:
                return target.shutdown(socket.SHUT_WR)
            target.sendall(data)
        except OSError:
            return


def main():
    sys.setswitchinterval(1e-4)
    port, service, delay = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    host, _, far = service.rpartition(":")
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        near, _ = listener.accept()
        onward = socket.create_connection((host, int(far)))
        for end in (near, onward):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            end.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for pair in ((near, onward), (onward, near)):
            threading.Thread(target=move, args=(*pair, delay), daemon=True).start()


main()
