"""Drives a forage-replay to the end of a small run, remembers every promise it made, and holds
the ledger against them.

The driver is both the actor and the learner of its run: it takes tickets, submits made-up groups,
leases each step's batch and commits it. Whatever happens to replay, the driver goes on with the
next one, as actors and learners do. A promise is an acknowledged group or a committed step.
"""
import hashlib, json, os, pathlib, shutil, signal, sqlite3, subprocess, sys, time

import zmq

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Interop"))
from actor import PROTOCOL, digest, made_group  # noqa: E402

ROOT = pathlib.Path(__file__).parent.parent.parent
PROGRAMS = ROOT / ".build" / "release"
SERVING_SECONDS = 2.0  # F1's bound, from the start of the process to its first answer


class Lost(Exception):
    """No answer in time: the process, its answer or the request is gone."""


class Broken(Exception):
    """A promise that was not kept, or an answer that should not be."""


def need(condition, *words):
    if not condition:
        raise Broken(" ".join(str(word) for word in words))


def socket_folder(run):
    """As Operations/RunFolder.swift names it: FNV-1a over the real path."""
    value = 0xCBF29CE484222325
    for byte in os.path.realpath(run).encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/") and len(runtime) <= 60 and os.access(runtime, os.W_OK):
        return f"{runtime}/forage-{value:016x}"
    return f"/tmp/forage-{os.getuid()}-{value:016x}"


class Session:
    """One connection to replay; answers are paired with requests by id."""

    def __init__(self, context, address):
        self.socket, self.next_id = context.socket(zmq.DEALER), 0
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 10)
        self.socket.connect(address)

    def close(self):
        self.socket.close()

    def send(self, kind, body, *payload, protocol=PROTOCOL):
        self.next_id += 1
        control = {"kind": kind, "protocol": protocol, "id": self.next_id, "body": body}
        self.socket.send_multipart([json.dumps(control).encode(), *payload])
        return self.next_id

    def receive(self, ids, seconds, alive=lambda: True):
        end = time.monotonic() + seconds
        while time.monotonic() < end and alive():
            if self.socket.poll(50):
                control, *payload = self.socket.recv_multipart()
                control = json.loads(control)
                if control["id"] in ids:
                    return control["id"], control["kind"], control["body"]
        raise Lost(f"no answer to {sorted(ids)}")

    def ask(self, kind, body, *payload, seconds=5.0, alive=lambda: True, protocol=PROTOCOL):
        ids = {self.send(kind, body, *payload, protocol=protocol)}
        return self.receive(ids, seconds, alive)[1:]


class Run:
    """A run's folder, its replay, and what was promised in it."""

    def __init__(self, folder, steps=3, batch=4, overrides="", lag=1):
        self.path = pathlib.Path(folder)
        self.path.mkdir(parents=True, exist_ok=True)
        self.steps, self.batch = steps, batch
        settings = self.path / "settings.yaml"
        if not settings.exists():
            settings.write_text(
                f"run: {{name: fault, steps: {steps}}}\n"
                f"learner: {{groupsPerStep: {batch}, lagMax: {lag}}}\n"
                "sampling: {groupSize: 2, maximumNewTokens: 8}\n"
                "evaluation: {every: 0}\nactor: {ticketsPerRequest: 4}\n" + overrides)
            os.sync()  # as forage run leaves it: a power cut may follow at once
        self.address = f"ipc://{socket_folder(folder)}/replay"
        self.context, self.process = zmq.Context(), None
        self.actor = self.learner = None
        self.groups, self.commits = {}, {}  # ticket -> digest, step -> tickets: what was promised
        self.submitted = {}  # every blob that was sent, acknowledged or not
        self.repeats, self.files = 0, []

    # The process

    def start(self, *prefix, environment=None):
        """The whole process group is ours to kill; a tracer in `prefix` must detach itself."""
        self.log = open(self.path / "replay.out", "ab")
        words = [*prefix, str(PROGRAMS / "forage-replay"), "--run", str(self.path)]
        self.begun, self.worked = time.monotonic(), None
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, **(environment or {})}, start_new_session=True)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def end(self, sent=signal.SIGTERM, seconds=20):
        """Its status; it must end in time."""
        if self.alive():
            self.process.send_signal(sent)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Broken(f"replay did not end within {seconds} s of signal {sent}")

    def close(self):
        if self.alive():
            self.process.kill()
            self.process.wait()
        self.context.destroy(linger=0)
        shutil.rmtree(socket_folder(self.path), ignore_errors=True)

    # The peers

    def meet(self, seconds=10.0):
        """New connections, and hellos of both roles; the seconds from the start to the answer."""
        for session in (self.actor, self.learner):
            if session:
                session.close()
        self.learner, self.actor = (Session(self.context, self.address) for _ in range(2))
        end = time.monotonic() + seconds
        hello = {"role": "looker", "name": "driver", "numericClass": "python"}
        self.looked = None
        while self.looked is None:
            try:
                kind, self.looked = self.actor.ask("hello", hello, seconds=0.2, alive=self.alive)
            except Lost:
                need(self.alive(), "replay ended with", self.process.poll())
                need(time.monotonic() < end, "replay does not answer")
        served = time.monotonic() - self.begun
        need(kind == "welcome", "hello was answered", kind, self.looked)
        self.lineage = self.looked["lineage"]
        held = self.looked.get("version") or self.version(0)
        kind, self.welcome = self.learner.ask("hello", {
            "role": "learner", "name": "learner", "numericClass": "python", "version": held,
            "weightsAddress": "ipc:///made", "announceAddress": "ipc:///made", "files": self.files},
            alive=self.alive)
        need(kind == "welcome", "the learner's hello was answered", kind, self.welcome)
        self.step = (self.welcome.get("lastCommit") or {"step": -1})["step"] + 1
        self.epoch = self.welcome["epoch"]
        kind, answer = self.actor.ask("hello", {
            "role": "actor", "name": "actor-0", "numericClass": "python", "holding": []},
            alive=self.alive)
        need(kind == "welcome", "the actor's hello was answered", kind, answer)
        return served

    def version(self, number):
        made = hashlib.blake2b(f"version {number}".encode(), digest_size=32).hexdigest()
        return {"lineage": self.lineage, "number": number, "digest": made}

    def fill(self):
        """Takes what tickets there are now and submits a group for each."""
        asked = {"version": self.version(self.step), "count": self.batch}
        kind, body = self.actor.ask("tickets", asked, alive=self.alive)
        if kind == "fetch":
            return
        need(kind in ("tickets", "wait"), "tickets were answered", kind, body)
        if kind == "wait":
            time.sleep(min(0.05, body["milliseconds"] / 1000))
            return
        self.worked = self.worked or time.monotonic()
        self.submit([ticket["key"] for ticket in body["tickets"]])

    def submit(self, keys):
        waiting = {}
        for key in keys:
            blob = made_group(key, self.version(self.step), self.welcome, "actor-0")
            self.submitted.setdefault(key["number"], set()).add(digest(blob))
            number = self.actor.send("submit", {"key": key, "digest": digest(blob)}, blob)
            waiting[number] = (key["number"], digest(blob))
        while waiting:
            number, kind, body = self.actor.receive(waiting, 5.0, self.alive)
            ticket, blob = waiting.pop(number)
            need(kind == "acknowledged", "the group of ticket", ticket, "was answered", kind, body)
            self.promise(ticket, blob)

    def promise(self, ticket, blob):
        # An earlier copy may stand, whose acknowledgement was lost: then that one is promised.
        if ticket in self.groups:
            self.repeats += 1
        self.groups.setdefault(ticket, self.submitted[ticket])

    def train(self):
        """Leases the next step and commits it; False while its batch is not complete."""
        lease = {"step": self.step, "epoch": self.epoch}
        kind, body = self.learner.ask("lease", lease, alive=self.alive)
        if kind == "wait":
            return False
        self.worked = self.worked or time.monotonic()
        need(kind == "lease", "the lease was answered", kind, body)
        kind, answer = self.learner.ask("commit", self.commit_body(body["tickets"]),
                                        alive=self.alive)
        need(kind == "committed", "the commit was answered", kind, answer)
        self.commits[self.step] = body["tickets"]
        self.step += 1
        return True

    def commit_body(self, tickets):
        after = self.version(self.step + 1)
        return {"step": self.step, "epoch": self.epoch, "outcome": "trained", "tickets": tickets,
                "version": after, "stateDigest": after["digest"], "trajectories": 0}

    def finish(self, until=None):
        """Goes on to the end of the run; raises Lost when replay dies on the way."""
        goal = self.steps if until is None else until
        idle = 0
        while self.step < goal:
            self.fill()
            before = self.step
            while self.step < goal and self.train():
                pass
            idle = 0 if self.step > before else idle + 1
            need(idle < 400, "no step in 400 rounds: who waits for whom?", self.status())

    def status(self):
        return self.actor.ask("status", {})[1]["status"]

    # The account

    def check(self):
        """Groups and steps in the file, after holding it against what was promised."""
        return check_ledger(self.path / "ledger.sqlite", self.groups, self.commits, self.batch)


def check_ledger(path, groups, commits, batch):
    """Every promise is in the file, once, whole."""
    file = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        answer = file.execute("PRAGMA integrity_check").fetchall()
        need(answer == [("ok",)], "integrity:", answer)
        rows = {key: (bytes(kept), bytes(blob)) for key, kept, blob in file.execute(
            "SELECT key, blob_digest, blob FROM groups WHERE key >= 0")}
        for key, (kept, blob) in rows.items():
            need(digest(blob) == kept.hex(), "the blob of ticket", key, "is not its digest's")
        for ticket, blobs in groups.items():
            need(ticket in rows, "ticket", ticket, "was acknowledged and is lost")
            need(rows[ticket][0].hex() in blobs, "ticket", ticket, "holds another group")
        trained = {step: json.loads(tickets) for step, tickets in file.execute(
            "SELECT step, tickets FROM commits ORDER BY step")}
        for step, tickets in commits.items():
            need(step in trained, "step", step, "was committed and is lost")
            need(trained[step] == tickets, "step", step, "holds another batch")
        flat = [ticket for tickets in trained.values() for ticket in tickets]
        need(len(flat) == len(set(flat)), "a ticket is in two committed steps")
        need(all(len(tickets) == batch for tickets in trained.values()), "a batch of another size")
        need(sorted(trained) == list(range(len(trained))), "steps are missing:", sorted(trained))
        retired = [number for (number,) in file.execute("SELECT number FROM retired")]
        need(sorted(retired) == sorted(flat), "retired tickets and committed batches differ")
        need(set(flat) <= set(rows), "a trained group is missing")
    finally:
        file.close()
    return len(rows), len(trained)
