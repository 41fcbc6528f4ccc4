"""F13: a matrix of actors and learners that do not belong, each refused with a code and a sentence,
counted, and nothing of theirs in the ledger.

    f13-skews.py SECONDS
"""
import collections, json, shutil, sys, tempfile, time

from safetensors.numpy import load, save

import ledger

OURS, OTHER = ledger.digest(b"ours"), ledger.digest(b"another")


def named(**digests):
    return [{"name": name.replace("_", "."), "digest": digest} for name, digest in digests.items()]


def hello(**changes):
    return {"role": "actor", "name": "stranger", "numericClass": "python", **changes}


def hellos(run):
    """What is skewed -> (its hello, the protocol it says, the code it must get)."""
    ours = ledger.PROTOCOL
    learner = {"role": "learner", "name": "learner", "numericClass": "python"}
    model = {**run.version(0), "digest": OTHER}
    return {
        "protocol": (hello(), ledger.PROTOCOL + 1, "protocol-version"),
        "numeric class": (hello(numericClass="f32/other"), ours, "numeric-class"),
        "tokenizer": (hello(files=named(tokenizer_json=OTHER)), ours, "another-run"),
        "model": (hello(files=named(config_json=OTHER)), ours, "another-run"),
        "task": (hello(files=named(task=OTHER)), ours, "another-run"),
        "verifier": (hello(files=named(task=OURS, verifier=OTHER)), ours, "another-run"),
        "run (learner)": ({**learner, "version": {**run.version(0), "lineage": "other-run"}},
                          ours, "another-run"),
        "model (learner)": ({**learner, "version": model}, ours, "another-run"),
    }


def altered(blob, tensors=(), **metadata):
    """The same group with other metadata or tensors."""
    count = int.from_bytes(blob[:8], "little")
    told = json.loads(blob[8:8 + count])["__metadata__"]
    return save({**load(blob), **dict(tensors)}, {**told, **metadata})


def submissions(run, good):
    """What is skewed -> (its blob, the code it must get)."""
    beyond = load(good)["tokens"].copy()
    beyond[0] = 1000
    return {
        "run (group)": (altered(good, lineage="other-run"), "another-run"),
        "model (group)": (altered(good, version_digest=OTHER), "another-run"),
        "seed (group)": (altered(good, seed="7"), "another-run"),
        "numeric class (group)": (altered(good, numeric_class="f32/other"), "numeric-class"),
        "tokenizer (group)": (altered(good, {"tokens": beyond}), "invalid"),
        "temperature (group)": (altered(good, temperature="0.5"), "invalid"),
        "ticket (group)": (altered(good, ticket="3"), "invalid"),
        "format (group)": (altered(good, format="forage-group-9"), "malformed"),
        "bytes (group)": (good[:-1] + bytes([good[-1] ^ 1]), "corrupt"),
    }


class Matrix:
    def __init__(self, run):
        self.run, self.seen = run, collections.Counter()
        self.counts = self.refusals()

    def refusals(self):
        return dict(self.run.status()["service"]["refused"])

    def expect(self, what, code, kind, body):
        ledger.need(kind == "refused", what, "was answered", kind, body)
        ledger.need(body["code"] == code, what, "was refused as", body["code"], "and not", code)
        ledger.need(len(body["sentence"].split()) >= 4, what, "has no sentence:", body)
        before, self.counts = self.counts, self.refusals()
        grown = self.counts.get(code, 0) - before.get(code, 0)
        ledger.need(grown == 1, what, "was counted", grown, "times")
        self.seen[what] += 1


def trial(seen):
    folder = tempfile.mkdtemp(prefix="forage-f13-")
    run = ledger.Run(folder + "/run", steps=2, batch=4, lag=0)
    first = run.path / "checkpoints" / "step-000000"
    first.mkdir(parents=True)
    (first / "config.json").write_text('{"vocab_size": 8, "max_position_embeddings": 64}')
    (run.path / "definitions").write_text(f"task {OURS}\nverifier {OURS}\n")
    run.files = named(config_json=OURS, tokenizer_json=OURS)
    try:
        run.start()
        run.meet()
        matrix = Matrix(run)
        for what, (body, protocol, code) in hellos(run).items():
            session = ledger.Session(run.context, run.address)
            matrix.expect(what, code, *session.ask("hello", body, protocol=protocol))
            # And it is nobody: what it asks for next has no hello before it.
            asked = {"version": run.version(0), "count": 1}
            matrix.expect(what + ", then tickets", "hello-first", *session.ask("tickets", asked))
            session.close()
        friend = ledger.Session(run.context, run.address)
        own = named(config_json=OURS, tokenizer_json=OURS, task=OURS, verifier=OURS)
        kind, body = friend.ask("hello", hello(name="friend", files=own))
        ledger.need(kind == "welcome", "one that belongs was answered", kind, body)
        matrix.expect("role", "role", *friend.ask("lease", {"step": 0, "epoch": run.epoch}))
        kind, body = friend.ask("tickets", {"version": run.version(0), "count": 1})
        ledger.need(kind == "tickets", "tickets were answered", kind, body)
        key = body["tickets"][0]["key"]
        good = ledger.made_group(key, run.version(0), run.welcome, "friend")
        for what, (blob, code) in submissions(run, good).items():
            said = ledger.digest(good if code == "corrupt" else blob)
            answer = friend.ask("submit", {"key": key, "digest": said}, blob)
            matrix.expect(what, code, *answer)
        # The same ticket, with a group that belongs.
        kind, body = friend.ask("submit", {"key": key, "digest": ledger.digest(good)}, good)
        ledger.need(kind == "acknowledged", "a group that belongs was answered", kind, body)
        run.submitted[key["number"]] = {ledger.digest(good)}
        run.promise(key["number"], ledger.digest(good))
        run.finish(until=1)
        # Old weights alone mean "fetch"; a group of them is stale.
        kind, body = friend.ask("tickets", {"version": run.version(0), "count": 1})
        ledger.need(kind == "fetch", "old weights were answered", kind, body)
        key = {"purpose": "train", "number": 4}
        old = ledger.made_group(key, run.version(0), run.welcome, "friend")
        answer = friend.ask("submit", {"key": key, "digest": ledger.digest(old)}, old)
        matrix.expect("old weights (group)", "stale", *answer)
        friend.close()
        run.finish()
        ledger.need(run.end() == 0, "replay ended with", run.process.poll())
        rows, _ = run.check()
        ledger.need(rows == 8, rows, "groups are in the ledger, and 8 belong")
        seen.update(matrix.seen)
    finally:
        run.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    end, trials, seen = time.monotonic() + float(sys.argv[1]), 0, collections.Counter()
    while trials < 2 or time.monotonic() < end:
        trial(seen)
        trials += 1
    print(f"measured: {trials} trials; {len(seen)} skews ({sum(seen.values())} refusals), each "
          "with its code, a sentence and one more in its count; old weights were told to fetch; "
          "no group of a stranger is in the ledger")


if __name__ == "__main__":
    main()
