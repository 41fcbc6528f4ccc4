"""A hostile peer of a live run: says what no honest one says, and counts what it is answered.

It attacks replay and the weight server until a file appears: bytes that are no ZeroMQ, frames that
claim 2^62 bytes, half a greeting, many idle connections, wrong counts of frames, text that is no
JSON or nests without end, groups with NaN, ids beyond the vocabulary, lengths that disagree. Each
message that a peer could answer must be refused. Prints one JSON line of counts.

    f15-hostile.py tcp://127.0.0.1:46300 tcp://127.0.0.1:46301 --until FILE
"""
import argparse, json, os, pathlib, socket, struct, sys, time
import numpy as np, zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "Interop"))
from actor import PROTOCOL, Peer, digest, made_group  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.numpy import load, save  # noqa: E402

# Half of what a process may usually have open.
CONNECTIONS = 400
GREETING = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x01" + b"NULL" + b"\0" * 16 + b"\0" + b"\0" * 31
READY = b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


def raw(address, data, wait=0.05):
    """Sends bytes to a port and hangs up."""
    host, port = address.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), 5) as peer:
        try:
            peer.sendall(data)
            peer.settimeout(wait)
            peer.recv(4096)
        except OSError:
            pass


def garbage(address):
    """What is sent below ZeroMQ's messages."""
    ready = b"\x04" + bytes([len(READY)]) + READY
    texts = [
        os.urandom(4096), b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 64, GREETING[:20], GREETING,
        GREETING + ready + b"\x02" + struct.pack(">Q", 1 << 62),
        GREETING + ready + b"\x02" + struct.pack(">Q", (1 << 64) - 1) + b"x" * 4096,
        GREETING + b"\x04\xff" + b"y" * 300,
    ]
    for text in texts:
        raw(address, text)
    return len(texts)


def changed(blob, change):
    """A group with some of its tensors changed."""
    tensors = {name: value.copy() for name, value in load(blob).items()}
    path = f"/dev/shm/f15-{os.getpid()}.safetensors"
    pathlib.Path(path).write_bytes(blob)
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    os.unlink(path)
    change(tensors, metadata)
    return save(tensors, metadata)


def put(name, value):
    def change(tensors, metadata):
        tensors[name][0] = value
    return change


def say(name, value):
    return lambda tensors, metadata: metadata.update({name: value})


def drop(name):
    return lambda tensors, metadata: tensors.pop(name)


def longer(tensors, metadata):
    tensors["tokens"] = np.zeros(len(tensors["tokens"]) + 1, np.int32)


GROUPS = [
    put("behavior_logprobs", np.nan), put("behavior_logprobs", np.inf),
    put("behavior_logprobs", 0.5), put("tokens", 1 << 30), put("tokens", -1),
    put("prompt", 1 << 30), put("lengths", 1 << 30), put("lengths", -1),
    put("reward_values", np.nan), put("reward_values", -np.inf), put("reward_samples", 1 << 20),
    put("reward_positions", 1 << 20), put("reason_lengths", 1 << 30), put("versions", 77),
    longer, drop("finish"), say("ticket", "99999999999999999999"), say("version", "-1"),
    say("temperature", "nan"), say("reward_parts", "[" * 60000), say("seed", "12345"),
]


def claiming(count):
    """A blob whose header claims that many bytes of data, or is itself so long."""
    header = b'{"tokens":{"dtype":"I32","shape":[%d],"data_offsets":[0,%d]}}' % (count, 4 * count)
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header


def controls():
    """Messages that are refused before anybody looks who sent them."""
    def frame(kind, body):
        return json.dumps({"kind": kind, "protocol": PROTOCOL, "id": 7, "body": body}).encode()
    return [
        [b""], [b"not JSON"], [b"[" * 65536], [b"{" * 65536], [b"\xff\xfe" * 1000],
        [b'{"kind":"hello","kind":"hello"}'], [b'{"protocol":%d}' % PROTOCOL],
        [frame("nonsense", {})], [frame("hello", {"role": "king"})],
        [frame("tickets", {"count": 1 << 62})], [frame("tickets", {"count": -1})],
        [frame("heartbeat", {"holding": [{"purpose": "train", "number": 1 << 60}]})],
        [frame("submit", {"key": {"purpose": "train", "number": 0}, "digest": "0" * 64})],
        [frame("status", {})] + [b"x"] * 3000,
        [json.dumps({"kind": "status", "protocol": 99, "id": 7, "body": {}}).encode()],
        [frame("commit", {"step": 0, "trajectories": 1 << 40})],
        # Written again its numbers would be longer than a control frame may be.
        [frame("heartbeat", {
            "holding": [], "state": "", "stateMilliseconds": 0, "tokensSampled": 0,
            "groupsSubmitted": 0, "idleMilliseconds": 0,
            "finding": {"token": "t", "report": "REPORT"}})
            .replace(b'"REPORT"', b"[" + b",".join([b"1e5"] * 200000) + b"]")],
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("replay")
    parser.add_argument("weights")
    parser.add_argument("--until", required=True, help="a file that ends it")
    options = parser.parse_args()
    context = zmq.Context()
    done = {"rounds": 0, "garbage": 0, "refused": {},
            "connections": 0, "firstBytes": 0, "mostBytes": 0, "malformed": 0,
            "expected": {}, "counted": {}}
    idle = []
    for address in [options.replay, options.weights]:
        host, port = address.removeprefix("tcp://").split(":")
        for _ in range(CONNECTIONS):
            idle.append(socket.create_connection((host, int(port)), 10))
    done["connections"] = len(idle)
    replay = Peer(context, options.replay, 20, None)
    # A synchronous run admits one numeric class, which whoever asks is told.
    peers = replay.ask("status", {})[1]["status"]["peers"]
    known = next(peer["numericClass"] for peer in peers if peer["role"] == "learner")
    kind, welcome = replay.ask("hello", {"role": "actor", "name": "mallory", "numericClass": known})
    if kind == "refused":
        sys.exit(f"hello refused: {welcome}")
    while not os.path.exists(options.until):
        done["garbage"] += garbage(options.replay) + garbage(options.weights)
        attack(context, options, replay, welcome, done)
        done["rounds"] += 1
        time.sleep(0.1)
    del done["expected"]
    print(json.dumps(done))


def judge(answer, done, what, name=None):
    """Counts a refusal, by replay's name for who asked; whatever else is answered ends the attack
    with what it was."""
    kind, body = answer
    if kind != "refused":
        sys.exit(f"{what} was answered {kind}: {body}")
    done["refused"][body["code"]] = done["refused"].get(body["code"], 0) + 1
    if name:
        codes = done["expected"].setdefault(name, {})
        codes[body["code"]] = codes.get(body["code"], 0) + 1


def attack(context, options, replay, welcome, done):
    for frames in controls():
        for address in [options.replay, options.weights]:
            stranger = context.socket(zmq.DEALER)
            stranger.setsockopt(zmq.LINGER, 0)
            stranger.connect(address)
            stranger.send_multipart(frames)
            if stranger.poll(5000):
                control = json.loads(stranger.recv_multipart()[0])
                # Who never said hello is called by where he comes from.
                name = "127.0.0.1" if address == options.replay else None
                judge((control["kind"], control["body"]), done, frames[0][:60], name)
            else:
                sys.exit(f"no answer to {frames[0][:60]}")
            stranger.close()
    version = welcome.get("version")
    if version:
        whole = made_group({"purpose": "train", "number": 0}, version, welcome, "mallory")
        blobs = [changed(whole, change) for change in GROUPS]
        blobs += [claiming(1 << 40), claiming((1 << 61) - 1), struct.pack("<Q", 1 << 62)]
        blobs += [b"", whole[:99]]
        for number, blob in enumerate(blobs):
            key = {"purpose": "train", "number": 0}
            answer = replay.ask("submit", {"key": key, "digest": digest(blob)}, blob)
            judge(answer, done, f"group {number}", "mallory")
        body = {"key": {"purpose": "train", "number": 0}, "digest": digest(whole)}
        answer = replay.ask("submit", body, whole[:-1])
        judge(answer, done, "a group cut short", "mallory")
    kind, status = replay.ask("status", {})
    status = status["status"]
    resident = status["service"]["residentBytes"]
    done["firstBytes"] = done["firstBytes"] or resident
    done["mostBytes"] = max(done["mostBytes"], resident)
    done["malformed"] = status["service"]["malformed"]
    done["counted"] = {
        entry["name"]: entry["codes"] for entry in status["service"]["refusedNames"]
        if entry["name"] in done["expected"]}
    if done["counted"] != done["expected"]:
        sys.exit(f"replay counts {done['counted']}, and sent {done['expected']}")


if __name__ == "__main__":
    main()
