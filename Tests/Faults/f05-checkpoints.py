"""F5: the power of a machine is cut again and again while forage run trains on it; what it left is
looked at with each boot, and the run goes on until its end.

    f05-checkpoints.py SECONDS FOLDER STEPS DIGEST        the last version's, of a quiet run
"""
import random, sys, time

import ledger, uml

# Then the run goes through: on a slow machine a boot gains two steps, and hundreds of cuts say no
# more than these.
MAXIMUM_CUTS = 16
REST_SECONDS = 240


def account(lines, seen):
    """Every checkpoint that is there is whole, and so is the one `latest` names."""
    for line in lines:
        words = line.split()
        if words[0] == "checkpoint":
            ledger.need(words[3] == "True", words[1], "is a mix:", words[2], "is not its digest's")
            seen["files"] += 1
        elif words[0] == "latest":
            ledger.need(words[2] == "True", "latest names", words[1], "which is not whole")
            seen["latest"] += 1
        elif words[0] == "unfinished":
            seen["unfinished"] += 1


def whole_run(image, seconds, steps, seen):
    """Cuts until the run is through; the digest it came to."""
    uml.make_disk(image, 512)
    for cut in range(MAXIMUM_CUTS + 1):
        machine = uml.Machine(image, "run", steps)
        try:
            account(machine.until("account complete", 60), seen)
            # The first boots need some seconds for the warm start; the moment is any after that.
            machine.until("step ", 120)
            left = random.uniform(0.3, seconds) if cut < MAXIMUM_CUTS else REST_SECONDS
            end = time.monotonic() + left
            lines = []
            while time.monotonic() < end:
                lines.append(machine.line(end - time.monotonic()))
                if lines[-1].startswith("run ended with"):
                    ledger.need(lines[-1] == "run ended with 0", *lines[-20:])
                    digest = machine.until("digest", 30)[-1].split()[1]
                    machine.wait(30)
                    return digest
        except uml.Gone as gone:
            ledger.need("nothing for" in str(gone) and "waiting" not in str(gone), gone)
        finally:
            machine.cut()
        seen["cuts"] += 1
    raise ledger.Broken(f"no end of the run within {REST_SECONDS} s after {MAXIMUM_CUTS} cuts")


def main():
    begun, seconds, folder = time.monotonic(), float(sys.argv[1]), sys.argv[2]
    steps, wanted = int(sys.argv[3]), sys.argv[4]
    seen = {"cuts": 0, "files": 0, "latest": 0, "unfinished": 0}
    trials = 0
    while True:
        start, before = time.monotonic(), seen["cuts"]
        digest = whole_run(f"{folder}/disk.img", 5.0, steps, seen)
        ledger.need(digest == wanted, "the last version is", digest, "and not", wanted)
        trials += 1
        ledger.need(seen["cuts"] - before >= 3, "only", seen["cuts"] - before, "cuts in a run")
        if time.monotonic() - begun + time.monotonic() - start > seconds:
            break
    ledger.need(seen["latest"] > 0, "no checkpoint was ever looked at")
    print(f"measured: {seen['cuts']} trials; {seen['cuts']} power cuts in {trials} runs of {steps} "
          f"steps; {seen['files']} files of checkpoints looked at after a cut, each with its "
          f"recorded digest, {seen['unfinished']} folders unfinished; each run ended with the last "
          f"weights {wanted[:12]} of a quiet one")


if __name__ == "__main__":
    main()
