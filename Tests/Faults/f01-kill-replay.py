"""F1: kill -9 of replay at every one of its writing system calls, one trial each, then at random
calls of any kind until the time is spent; every tenth restart is killed as well.

    f01-kill-replay.py SECONDS
"""
import concurrent.futures, random, shutil, sys, tempfile, time

import ledger

# All that replay calls to change a file. Those it never calls end after one trial.
CALLS = ["pwrite64", "write", "fdatasync", "fsync", "ftruncate", "rename", "unlink"]
WORKERS = 6  # most of a trial is replay's own second of waiting for actors after a restart


def strace(call, number):
    """-D: the tracer stands aside, so that the process we started is replay itself."""
    return ["strace", "-D", "-f", "-qq", "-o", "/dev/null",
            "-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}"]


def trial(call, number, twice):
    """(how often it was killed, seconds until it served again, acknowledged groups)"""
    folder = tempfile.mkdtemp(prefix="forage-f01-")
    run = ledger.Run(folder + "/run")
    try:
        served, killed = [], 0
        for start in range(4):
            traced = start == 0 or (twice and start == 1)
            run.start(*(strace(call, number) if traced else []))
            try:
                answered = run.meet()
                run.finish()
                if not traced:
                    served.append((run.worked or run.begun + answered) - run.begun)
                    break
            except (ledger.Lost, ledger.Broken):
                if run.alive() or run.process.poll() != -9:
                    raise
            if run.alive():
                run.end()
            status = run.process.wait()
            killed += status == -9
            ledger.need(status in (0, -9), "replay ended with", status)
            if status == 0:
                break
        if run.alive():
            ledger.need(run.end() == 0, "replay ended with", run.process.poll())
        _, steps = run.check()
        ledger.need(steps == run.steps, "only", steps, "steps are in the ledger")
        slow = [x for x in served if x > ledger.SERVING_SECONDS]
        ledger.need(not slow, "it took", slow, "s to serve")
        return killed, max(served, default=0), len(run.groups)
    except ledger.Broken as error:
        words = open(run.path / "replay.out").read()[-2000:]
        raise ledger.Broken(f"kill at {call} {number}: {error}\n{words}")
    finally:
        run.close()
        shutil.rmtree(folder, ignore_errors=True)


def main():
    end = time.monotonic() + float(sys.argv[1])
    points, trials, slowest, groups, second = {}, 0, 0.0, 0, 0
    with concurrent.futures.ProcessPoolExecutor(WORKERS) as pool:
        for call in CALLS:
            number, open_ended = 1, True
            while open_ended:
                numbers = range(number, number + WORKERS)
                jobs = [pool.submit(trial, call, k, k % 10 == 0) for k in numbers]
                for k, job in zip(numbers, jobs):
                    killed, served, kept = job.result()
                    trials, slowest, groups = trials + 1, max(slowest, served), groups + kept
                    second += killed > 1
                    if killed:
                        points[call] = k
                    open_ended = open_ended and killed
                number += WORKERS
            print(f"{call}: killed at each of {points.get(call, 0)} calls", flush=True)
        # strace counts each call by itself: the first of any kind that is made that often.
        anywhere = 0
        while time.monotonic() < end:
            jobs = [pool.submit(trial, "all", random.randrange(2, 300), True)
                    for _ in range(2 * WORKERS)]
            for job in jobs:
                killed, served, kept = job.result()
                trials, slowest, groups = trials + 1, max(slowest, served), groups + kept
                anywhere += killed > 0
    ledger.need(points.get("pwrite64", 0) > 50, "few writes were killed:", points)
    ledger.need(points.get("fdatasync", 0) > 5, "few syncs were killed:", points)
    where = ", ".join(f"{call} 1..{last}" for call, last in points.items())
    print(f"measured: {trials} trials; killed at {where}, and at {anywhere} random calls of any "
          f"kind; {second} restarts were killed again; {groups} acknowledged groups, none lost or "
          f"doubled; tickets again {slowest:.2f} s after the start at most")


if __name__ == "__main__":
    main()
