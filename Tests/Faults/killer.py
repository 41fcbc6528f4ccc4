"""Kills the processes of a forage run with SIGKILL at random moments of it, goes on with --resume
where the supervisor was among them, and ends when the run does. Prints what was killed.

    killer.py FOLDER --kills 50 --steps 700 --victims replay,learner,actor-0 -- forage run ...

Moments are random steps of the first three quarters plus a random pause: several kills may fall on
one step, so restarts and steps that are taken again are hit as well.
"""
import argparse, collections, os, pathlib, random, re, signal, subprocess, sys, time

LOST_SECONDS = 600  # without a further step: the run hangs


class KilledRun:
    def __init__(self, options, command):
        self.folder, self.command = pathlib.Path(options.folder), command
        self.program = command[0]
        self.output = open(f"{options.folder}.out", "ab")
        self.process = None
        self.counts = collections.Counter()

    def start(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            start_new_session=True)

    def resume(self):
        self.start([self.program, "run", "--resume", str(self.folder), "--plain"])

    def children(self):
        """Process ids by name, as the supervisor logged them last, of those that live."""
        try:
            log = (self.folder / "logs" / "run.log").read_text()
        except FileNotFoundError:
            return {}
        found = dict(re.findall(r"started (\S+), process (\d+)", log))
        return {name: int(number) for name, number in found.items() if is_forage(int(number))}

    def step(self):
        try:
            with open(self.folder / "metrics.jsonl", "rb") as file:
                file.seek(max(0, os.path.getsize(file.name) - 65536))
                steps = re.findall(rb'^\{"step":(\d+),', file.read(), re.M)
        except FileNotFoundError:
            return -1
        return max(map(int, steps), default=-1)

    def kill(self, victim):
        """False when there is nobody of that name just now."""
        children = self.children()
        if victim == "supervisor":
            self.process.kill()
            self.process.wait()
            # They see the end of the supervisor's pipe, and stop in order.
            end = time.monotonic() + 40
            while any(map(is_forage, children.values())):
                if time.monotonic() > end:
                    sys.exit(f"FAILED: {self.children()} outlived the supervisor by 40 s")
                time.sleep(0.05)
            self.resume()
        elif victim == "everything":
            for number in [self.process.pid, *children.values()]:
                send_kill(number)
            self.process.wait()
            while any(map(is_forage, children.values())):
                time.sleep(0.01)
            self.resume()
        elif victim in children:
            send_kill(children[victim])
        else:
            return False
        self.counts[victim] += 1
        return True


def is_forage(number):
    """Whether a process of ours still runs under that number; a zombie is dead."""
    try:
        state = pathlib.Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" and b"forage" in pathlib.Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return False


def send_kill(number):
    try:
        os.kill(number, signal.SIGKILL)
    except ProcessLookupError:
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--victims", default="replay,learner,actor-0,actor-1,supervisor,everything")
    parser.add_argument("--seed", type=int, default=0, help="0 draws one")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 10**6)
    print(f"seed {seed}", flush=True)
    draw = random.Random(seed)
    moments = sorted(draw.randrange(1, options.steps * 3 // 4) for _ in range(options.kills))
    run, begun, seen, last = KilledRun(options, options.command), time.monotonic(), -1, 0
    run.start(options.command)
    while run.process.poll() is None:
        step = run.step()
        if step > seen:
            seen, last = step, time.monotonic()
        if seen >= 0 and time.monotonic() - last > LOST_SECONDS:
            send_kill(run.process.pid)
            sys.exit(f"FAILED: no step after {seen} for {LOST_SECONDS} s")
        if moments and step >= moments[0]:
            time.sleep(draw.uniform(0, 0.6))
            victim = draw.choice(options.victims.split(","))
            if run.process.poll() is None and run.kill(victim):
                moments.pop(0)
                print(f"{time.monotonic() - begun:7.1f} s, step {step}: {victim}", flush=True)
        time.sleep(0.02)
    if run.process.returncode != 0:
        print(open(run.output.name).read()[-3000:])
        sys.exit(f"FAILED: the run ended with {run.process.returncode}")
    if moments:
        sys.exit(f"FAILED: the run ended with {len(moments)} kills to go")
    counts = ", ".join(f"{name} {number}" for name, number in sorted(run.counts.items()))
    print(f"{sum(run.counts.values())} kills ({counts}) in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
