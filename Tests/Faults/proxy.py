"""Stands between a peer and a service, byte by byte, and treats the bytes badly. Ends on SIGTERM
with one JSON line that says what it did.

    proxy.py 46360 127.0.0.1:46350 --cut-replies 2000 60000    cut the answers' direction, each time
                                                               after so many bytes, drawn anew
    proxy.py 46360 127.0.0.1:46350 --lose-replies 5 25         the same after so many answers, and
                                                               the last of them is lost whole
    proxy.py 46360 127.0.0.1:46350 --delay 0.2                 each direction, seconds
    proxy.py 46360 127.0.0.1:46350 --delay-replies 0.2         the answers' direction alone
"""
import argparse, asyncio, collections, json, random, re, signal, socket, struct

CHUNK = 1 << 16
# Bytes on their way at once: beyond it the sender waits, as on a link.
WINDOW = 1 << 22


class Proxy:
    def __init__(self, options):
        self.options, self.draw = options, random.Random(options.seed or None)
        self.connections = self.cuts = self.bytes = 0
        self.lost = collections.Counter()  # answers that were lost whole, by their kinds

    async def serve(self):
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        server = await asyncio.start_server(self.take, self.options.bind, self.options.port)
        await stop.wait()
        server.close()

    async def take(self, reader, writer):
        self.connections += 1
        host, _, port = self.options.service.rpartition(":")
        try:
            back, onward = await asyncio.open_connection(host, int(port))
        except OSError:
            return writer.transport.abort()
        limit = answers = None
        if self.options.cut_replies:
            limit = self.draw.randint(*self.options.cut_replies)
        if self.options.lose_replies:
            answers = self.draw.randint(*self.options.lose_replies)
        delay, late = self.options.delay, self.options.delay_replies
        ways = [
            asyncio.create_task(self.move(reader, onward, None, None, delay)),
            asyncio.create_task(self.move(back, writer, limit, answers, delay + late)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for end in (writer, onward):
            # A reset, as from a middle box: nothing tells the ends that it was in good order.
            raw = end.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.transport.abort()

    async def move(self, reader, writer, limit, answers, delay):
        queue, room = asyncio.Queue(), asyncio.Semaphore(WINDOW // CHUNK)
        sender = asyncio.create_task(self.deliver(queue, room, writer))
        try:
            left = limit
            while data := await reader.read(CHUNK):
                # What is read at once is an answer, or several; handshakes and pings have no kind.
                kinds = re.findall(rb'"kind": ?"(\w+)"', data) if answers is not None else []
                if kinds and (answers := answers - 1) < 0:
                    self.cuts += 1
                    self.lost.update(kind.decode() for kind in kinds)
                    return
                if left is not None and len(data) >= left:
                    data, left = data[:left], 0
                elif left is not None:
                    left -= len(data)
                await room.acquire()
                queue.put_nowait((asyncio.get_running_loop().time() + delay, data))
                if left == 0:
                    self.cuts += 1
                    while not queue.empty():
                        await asyncio.sleep(0.001)
                    return
        except OSError:
            pass
        finally:
            sender.cancel()

    async def deliver(self, queue, room, writer):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - asyncio.get_running_loop().time()))
            writer.write(data)
            self.bytes += len(data)
            await writer.drain()
            room.release()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("service")
    parser.add_argument("--cut-replies", type=int, nargs=2)
    parser.add_argument("--lose-replies", type=int, nargs=2)
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--delay-replies", type=float, default=0)
    parser.add_argument("--bind", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=0)
    proxy = Proxy(parser.parse_args())
    asyncio.run(proxy.serve())
    print(json.dumps({"connections": proxy.connections, "cuts": proxy.cuts,
                      "bytes": proxy.bytes, "lost": proxy.lost}), flush=True)


if __name__ == "__main__":
    main()
