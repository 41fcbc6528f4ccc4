"""Knocks at an address that it has no key for, and leaves idle connections behind.

Raw TCP connections, a share each of: bytes that are not ZeroMQ's, the greeting of a peer without
keys, the first half of a greeting, nothing at all. Prints how many were made and how long the
service took to hang up on the slowest of those that said something wrong.

    f16-knock.py 127.0.0.1 46210 --seconds 5 --open 200
"""
import argparse, json, os, resource, select, socket, time

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
SAYINGS = [os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", GREETING, GREETING[:11], b""]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--open", type=int, default=200, help="connections held at a time")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4096), most))
    held, made, hung_up, refused = [], 0, 0, 0
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        try:
            connection = socket.create_connection((options.host, options.port), timeout=5)
            connection.sendall(SAYINGS[made % len(SAYINGS)])
            made += 1
            held.append(connection)
        except OSError:
            refused += 1
        if len(held) > options.open:
            ready, _, _ = select.select(held[: options.open // 2], [], [], 0)
            for connection in ready:
                try:
                    if connection.recv(4096) == b"":
                        hung_up += 1
                except OSError:
                    hung_up += 1
            for connection in held[: options.open // 2]:
                connection.close()
            held = held[options.open // 2 :]
    # What is still held must be hung up on within the handshake's ten seconds.
    began, waiting = time.monotonic(), [c for c in held]
    while waiting and time.monotonic() - began < 30:
        for connection in select.select(waiting, [], [], 1)[0]:
            try:
                if connection.recv(4096):
                    continue
            except OSError:
                pass
            waiting.remove(connection)
    slowest = time.monotonic() - began
    print(json.dumps({"made": made, "refused": refused, "left": len(waiting),
                      "slowest_seconds": round(slowest, 1)}))


main()
