"""F2: SIGKILL of replay while a duplicate waits for its original's commit, and an actor that takes
tickets and dies.

    f02-waiting-duplicate.py SECONDS

The commit is held by replay.commitWaitMilliseconds, so that the kill falls before it, after it, or
anywhere between: a moment is drawn for each trial, and every fourth is not killed at all.
"""
import random, shutil, statistics, sys, tempfile, time

import ledger

HOLD, LEASE = 0.3, 1.0
SETTINGS = (f"replay: {{commitWaitMilliseconds: {int(1000 * HOLD)}, "
            f"ticketLeaseSeconds: {LEASE}}}\n")


def held(trial, tally):
    """Original and duplicate on two connections, a kill, and both again."""
    folder = tempfile.mkdtemp(prefix="forage-f02-")
    run = ledger.Run(folder + "/run", steps=1, batch=4, overrides=SETTINGS)
    try:
        run.start()
        run.meet()
        other = ledger.Session(run.context, run.address)
        other.ask("hello", {"role": "actor", "name": "actor-1", "numericClass": "python"})
        asked = {"version": run.version(0), "count": 2}
        kind, body = run.actor.ask("tickets", asked)
        ledger.need(kind == "tickets", "tickets were answered", kind, body)
        keys = [ticket["key"] for ticket in body["tickets"]]
        blobs = [ledger.made_group(key, run.version(0), run.welcome, "actor-0") for key in keys]
        waiting = []
        began = time.monotonic()
        for session in (run.actor, other):
            for key, blob in zip(keys, blobs):
                run.submitted.setdefault(key["number"], set()).add(ledger.digest(blob))
                body = {"key": key, "digest": ledger.digest(blob)}
                waiting.append((session, session.send("submit", body, blob), key["number"]))
        kill = None if trial % 4 == 0 else random.uniform(0, 1.4 * HOLD)
        if kill is not None:
            time.sleep(max(0, began + kill - time.monotonic()))
            run.process.kill()
            run.process.wait()
        answered = {}
        for session, number, ticket in waiting:
            try:
                _, kind, body = session.receive({number}, 2.0 if kill is None else 0.05)
                ledger.need(kind == "acknowledged", "a copy was answered", kind, body)
                answered[session, ticket] = time.monotonic() - began
                run.promise(ticket, ledger.digest(blobs[0]))
            except ledger.Lost:
                ledger.need(kill is not None, "a copy of ticket", ticket, "had no answer")
        if kill is None:
            first = min(answered.values())
            ledger.need(first > HOLD / 2, "acknowledged after", first, "s: nothing was held")
            ledger.need(len(answered) == 4, len(answered), "of 4 copies were acknowledged")
            tally["held"] += 1
        else:
            tally["acknowledged" if answered else "lost"] += 1
            run.start()
            run.meet()
        other.close()
        run.finish()  # no group is stuck: the run reaches its end
        ledger.need(run.end() == 0, "replay ended with", run.process.poll())
        run.check()
    finally:
        run.close()
        shutil.rmtree(folder, ignore_errors=True)


def abandoned(tally):
    """An actor takes two tickets and dies: another gets them when the lease ends, not before."""
    folder = tempfile.mkdtemp(prefix="forage-f02-")
    run = ledger.Run(folder + "/run", steps=1, batch=2, overrides=SETTINGS)
    try:
        run.start()
        run.meet()
        asked = {"version": run.version(0), "count": 4}
        kind, body = run.actor.ask("tickets", asked)
        ledger.need(kind == "tickets", "tickets were answered", kind, body)
        taken = {ticket["key"]["number"] for ticket in body["tickets"]}
        run.actor.close()
        began, again = time.monotonic(), {}
        run.actor = ledger.Session(run.context, run.address)
        run.actor.ask("hello", {"role": "actor", "name": "actor-1", "numericClass": "python"})
        while set(again) < taken:
            ledger.need(time.monotonic() - began < 10 * LEASE, "not given out again:",
                        taken - set(again))
            kind, body = run.actor.ask("tickets", asked)
            if kind == "tickets":
                now = time.monotonic() - began
                again.update({ticket["key"]["number"]: now for ticket in body["tickets"]
                              if ticket["key"]["number"] in taken})
                run.submit([ticket["key"] for ticket in body["tickets"]])
            elif kind == "wait":
                time.sleep(0.02)
        tally["waits"].extend(again.values())
        ledger.need(min(again.values()) > 0.5 * LEASE, "given out again after", again)
        run.finish()
        ledger.need(run.end() == 0, "replay ended with", run.process.poll())
        run.check()
    finally:
        run.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    end, trial = time.monotonic() + float(sys.argv[1]), 0
    tally = {"held": 0, "acknowledged": 0, "lost": 0, "waits": []}
    while trial < 8 or time.monotonic() < end:
        held(trial, tally)
        if trial % 4 == 0:
            abandoned(tally)
        trial += 1
    ledger.need(tally["lost"] > 0, "no kill fell before the commit")
    print(f"measured: {trial} trials; {tally['lost']} kills before the commit, "
          f"{tally['acknowledged']} after an acknowledgement, {tally['held']} without a kill: both "
          f"copies acknowledged after the commit; {len(tally['waits'])} tickets of a dead actor "
          f"given out again after {statistics.median(tally['waits']):.2f} s (lease {LEASE:.0f} s)")


if __name__ == "__main__":
    main()
