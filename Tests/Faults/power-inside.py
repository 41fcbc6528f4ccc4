"""What runs within the machine whose power is cut; its console is the only witness.

    power-inside.py ledger synced|normal|blind    serves groups and steps, says each promise
    power-inside.py run STEPS    forage run, or its resumption, after an account of the checkpoints
                                 that are there
"""
import hashlib, json, os, pathlib, subprocess, sys, time

import ledger

DISK = pathlib.Path("/mnt/disk/run")


def say(*words):
    print(*words, flush=True)


def serve(how):
    """First what the disk still has, then new promises until the power goes."""
    path = DISK / "ledger.sqlite"
    if path.exists():
        file = ledger.sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        for (answer,) in file.execute("PRAGMA integrity_check"):
            say("integrity", answer)
        # Under a control even the tables may be lost: then nothing promised is there.
        if file.execute("SELECT 1 FROM sqlite_master WHERE name = 'commits'").fetchone():
            for key, kept, blob in file.execute("SELECT key, blob_digest, blob FROM groups"):
                say("has", key, kept.hex(), ledger.digest(bytes(blob)) == kept.hex())
            for step, tickets in file.execute("SELECT step, tickets FROM commits"):
                say("did", step, tickets)
        file.close()
    say("account complete")
    run = ledger.Run(DISK, steps=1_000_000, batch=8, overrides="replay: {diskReserveBytes: 1}\n")
    # The two controls: commits that SQLite does not sync, and syncs that do nothing.
    blind = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e",
             "inject=fdatasync,fsync:retval=0"]
    run.start(*(blind if how == "blind" else []),
              environment={"FORAGE_SYNCHRONOUS": "NORMAL"} if how == "normal" else {})
    say("serving after", run.meet(seconds=60))
    promise = run.promise

    def told(ticket, blob):
        say("acknowledged", ticket, blob)
        promise(ticket, blob)

    run.promise = told
    while True:
        step = run.step
        run.finish(until=step + 1)
        say("committed", step, json.dumps(run.commits[step]))
        time.sleep(0.01)  # or each account is longer than the boot before it


def train(steps):
    """The newest checkpoint is whole: every digest its state names is that of the file."""
    folder = DISK / "checkpoints"
    for state in sorted(folder.glob("step-*/state.json")):
        recorded = json.loads(state.read_text())["files"]
        for name, wanted in recorded.items():
            found = hashlib.blake2b((state.parent / name).read_bytes(), digest_size=32)
            say("checkpoint", state.parent.name, name, found.hexdigest() == wanted)
    for unfinished in folder.glob("*"):
        if unfinished.is_dir() and not (unfinished / "state.json").exists():
            say("unfinished", unfinished.name)
    if (folder / "latest").exists():
        latest = (folder / "latest").read_text().strip()
        say("latest", latest, (folder / latest / "state.json").exists())
    say("account complete")
    forage = ledger.PROGRAMS / "forage"
    tiny = ledger.ROOT / "Configs" / "tiny" / "grpo.yaml"
    words = [forage, "run", "--resume", DISK]
    if not (folder / "step-000000").exists():
        subprocess.run(["rm", "-rf", DISK])
        words = [forage, "run", tiny, "--folder", DISK, "--learner.lagMax=0",
                 "--learner.checkpointEvery=2", "--evaluation.every=0",
                 f"--run.steps={steps}"]
    status = subprocess.run([*words, "--plain", "--anyway"]).returncode
    say("run ended with", status)
    latest = (folder / "latest").read_text().strip()
    say("digest", json.loads((folder / latest / "state.json").read_text())["digest"])


if __name__ == "__main__":
    if sys.argv[1] == "ledger":
        serve(sys.argv[2])
    else:
        train(int(sys.argv[2]))
