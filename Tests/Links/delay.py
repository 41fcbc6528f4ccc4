"""Passes bytes on, each so many seconds after it came, both ways; a tenth of a millisecond late at
most, which asyncio's whole milliseconds are not.

    delay.py 47010 127.0.0.1:47000 0.020
"""
import queue, socket, sys, threading, time

PIECE = 1 << 16


def move(source, target, delay):
    ways = queue.Queue(maxsize=64)

    def read():
        while True:
            try:
                data = source.recv(PIECE)
            except OSError:
                data = b""
            ways.put((time.monotonic() + delay, data))
            if not data:
                return

    threading.Thread(target=read, daemon=True).start()
    while True:
        due, data = ways.get()
        time.sleep(max(0, due - time.monotonic()))
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
        for pair in ((near, onward), (onward, near)):
            threading.Thread(target=move, args=(*pair, delay), daemon=True).start()


main()
