"""An actor in another language: everything it knows of Forage is in Docs/WIRE.md.

It says hello, fetches the newest weights in chunks and verifies them, then takes tickets and
submits a made-up group (fixed tokens, no model) for each until enough are acknowledged or the run
is over. Prints one JSON line that says what it did. Needs pyzmq, numpy and safetensors.

    actor.py tcp://127.0.0.1:45910 --groups 4 --keys far.key
"""
import argparse, hashlib, json, sys, time
import numpy as np, zmq
from safetensors.numpy import load, save

PROTOCOL, CHUNK, WINDOW = 3, 1 << 19, 16


def digest(data):
    return hashlib.blake2b(data, digest_size=32).hexdigest()


class Peer:
    """One service at the other end of a DEALER; answers are paired with requests by id."""

    def __init__(self, context, address, patience, keys):
        self.address, self.patience, self.next_id = address, patience, 0
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.MAXMSGSIZE, 64 << 20)
        if keys:
            self.socket.setsockopt(zmq.CURVE_SERVERKEY, keys["server"])
            self.socket.setsockopt(zmq.CURVE_PUBLICKEY, keys["public"])
            self.socket.setsockopt(zmq.CURVE_SECRETKEY, keys["secret"])
        self.socket.connect(address)

    def send(self, kind, body, *payload):
        self.next_id += 1
        control = {"kind": kind, "protocol": PROTOCOL, "id": self.next_id, "body": body}
        self.socket.send_multipart([json.dumps(control).encode(), *payload])
        return self.next_id

    def receive(self, ids):
        """The next answer to one of these requests; late answers to others are dropped."""
        deadline = time.monotonic() + self.patience
        while self.socket.poll(max(0, int(1000 * (deadline - time.monotonic())))):
            control, *payload = self.socket.recv_multipart()
            control = json.loads(control)
            if control["id"] in ids:
                return control["id"], control["kind"], control["body"], payload
        sys.exit(f"no answer from {self.address} for {self.patience} s; check that it runs")

    def ask(self, kind, body, *payload):
        return self.receive({self.send(kind, body, *payload)})[1:3]


def fetch(server, blob, total):
    """The bytes of a blob: a window of chunks on their way, verified as a whole."""
    data, offsets, flying = bytearray(total), iter(range(0, total, CHUNK)), {}
    while True:
        while len(flying) < WINDOW and (offset := next(offsets, None)) is not None:
            body = {"digest": blob, "offset": offset, "count": CHUNK}
            flying[server.send("chunk", body)] = offset
        if not flying:
            break
        number, kind, body, payload = server.receive(flying)
        if kind != "chunk":
            sys.exit(f"chunk refused: {body}")
        offset = flying.pop(number)
        data[offset : offset + len(payload[0])] = payload[0]
    if digest(data) != blob:
        sys.exit(f"the {total} bytes fetched are not what their digest {blob} says")
    return bytes(data)


def made_group(key, version, welcome, name):
    """A group of fixed tokens: sample i has i + 1 of them, and every other one is rewarded."""
    settings, start = welcome["settings"], time.monotonic_ns()
    size = settings["sampling"]["groupSize"]
    if key["purpose"] == "evaluate":
        size = settings["evaluation"]["samples"]
    longest = settings["sampling"]["maximumNewTokens"]
    lengths = [min(i + 1, longest) for i in range(size)]
    total, last = sum(lengths), [n - 1 for n in lengths]
    reasons = [f"sample {i} was made up".encode() for i in range(size)]
    right = np.array([i % 2 for i in range(size)], np.uint8)
    tensors = {
        "prompt": np.array([1, 2, 3], np.int32),
        "tokens": np.arange(total, dtype=np.int32) % 4 + 1,
        "behavior_logprobs": np.full(total, np.log(0.25), np.float32),
        "versions": np.full(total, version["number"], np.int32),
        "lengths": np.array(lengths, np.int32),
        "reason_lengths": np.array([len(r) for r in reasons], np.int32),
        "reward_samples": np.repeat(np.arange(size, dtype=np.int32), 2),
        "reward_positions": np.repeat(np.array(last, np.int32), 2),
        "reward_part_ids": np.tile(np.array([0, 1], np.int32), size),
        "reward_values": np.stack([np.full(size, 0.5), right], 1).astype(np.float32).ravel(),
        "finish": np.array([n == longest for n in lengths], np.uint8),
        "strict": right,
        "lenient": right,
        "reasons": np.frombuffer(b"".join(reasons), np.uint8),
    }
    metadata = {
        "format": "forage-group-1", "purpose": key["purpose"], "ticket": str(key["number"]),
        "lineage": version["lineage"], "version": str(version["number"]),
        "version_digest": version["digest"], "exercise": "made up", "actor": name,
        "numeric_class": "python", "seed": str(settings["run"]["seed"]),
        "temperature": str(settings["sampling"]["temperature"]), "ticket_ns": str(start),
        "sampled_ns": str(time.monotonic_ns()), "judged_ns": str(time.monotonic_ns()),
        "reward_parts": json.dumps(["format", "answer"]),
    }
    if key["purpose"] == "evaluate":
        metadata["evaluates_version"] = str(key["version"])
    return save(tensors, metadata)


def read_keys(path):
    """The lines of a key file that are neither comments nor empty."""
    with open(path, "rb") as file:
        lines = [line.rstrip() for line in file if line.strip() and not line.startswith(b"#")]
    return {line.split(b": ", 1)[0].decode(): line.split(b": ", 1)[1] for line in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("replay", help="replay's address")
    parser.add_argument("--name", default="python-0")
    parser.add_argument("--groups", type=int, default=4, help="stop after this many")
    parser.add_argument("--patience", type=float, default=30, help="seconds to wait for an answer")
    parser.add_argument("--keys", help="a key file, where the run has keys")
    options = parser.parse_args()
    context = zmq.Context()
    keys = read_keys(options.keys) if options.keys else None
    replay = Peer(context, options.replay, options.patience, keys)
    hello = {"role": "actor", "name": options.name, "numericClass": "python"}
    done = {"acknowledged": 0, "refused": {}, "versions": [], "weightBytes": 0, "tensors": 0,
            "heartbeats": 0, "finished": False}
    kind, welcome = replay.ask("hello", hello)
    while kind == "welcome" and not welcome["weightsAddress"]:
        time.sleep(0.2)  # the learner has not said hello yet
        kind, welcome = replay.ask("hello", hello)
    if kind != "welcome":
        sys.exit(f"hello refused: {welcome}")
    server = Peer(context, welcome["weightsAddress"], options.patience, keys)
    version, wanted = None, None
    sampled = 0
    while done["acknowledged"] < options.groups and not done["finished"]:
        if version is None or wanted:
            kind, at = server.ask("locate", {"version": wanted["number"]} if wanted else {})
            if kind != "located":  # gone: the newest takes its place
                kind, at = server.ask("locate", {})
            data = fetch(server, at["blob"], at["byteCount"])
            version, wanted = at["version"], None
            done["versions"].append(version["number"])
            done["weightBytes"] += len(data)
            done["tensors"] = len(load(data))
        kind, body = replay.ask("tickets", {"version": version, "count": 2})
        if kind == "fetch":
            wanted = body["version"]
        elif kind == "wait":
            done["finished"] = body["isFinished"]
            time.sleep(body["milliseconds"] / 1000)
        elif kind != "tickets":
            sys.exit(f"tickets refused: {body}")
        holding = [ticket["key"] for ticket in body["tickets"]] if kind == "tickets" else []
        beat = {"holding": holding, "version": version, "state": "making up groups",
                "stateMilliseconds": 0, "tokensSampled": sampled, "idleMilliseconds": 0,
                "groupsSubmitted": done["acknowledged"]}
        kind, alive = replay.ask("heartbeat", beat)
        done["heartbeats"] += kind == "alive"
        for key in holding:
            blob = made_group(key, version, welcome, options.name)
            sampled += sum(load(blob)["lengths"].tolist())
            submission = {"key": key, "digest": digest(blob)}
            kind, answer = replay.ask("submit", submission, blob)
            while kind == "refused" and answer["code"] == "busy":
                time.sleep(0.2)
                kind, answer = replay.ask("submit", submission, blob)
            if kind == "acknowledged":
                done["acknowledged"] += 1
            else:
                done["refused"][answer["code"]] = answer["sentence"]
    print(json.dumps(done))


if __name__ == "__main__":
    main()
