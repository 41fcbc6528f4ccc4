"""F5: the power of a machine is cut again and again while replay promises, and the disk is asked.

    f05-power-cut.py SECONDS FOLDER
"""
import json, random, sys, time

import ledger, uml

CONTROLS = 4  # cuts under synchronous=NORMAL


def account(lines, groups, commits):
    """Holds what the disk has against what was promised: (lost groups, lost steps)."""
    has, did, integrity = {}, {}, []
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "has":
            key, digest, whole = rest.split()
            ledger.need(whole == "True", "the blob of ticket", key, "is torn")
            has[int(key)] = digest
        elif word == "did":
            step, _, tickets = rest.partition(" ")
            did[int(step)] = json.loads(tickets)
        elif word == "integrity":
            integrity.append(rest)
    ledger.need(set(integrity) <= {"ok"}, "integrity:", integrity)
    for key, digest in groups.items():
        ledger.need(has.get(key, digest) == digest, "ticket", key, "holds another group")
    flat = [ticket for tickets in did.values() for ticket in tickets]
    ledger.need(len(flat) == len(set(flat)), "a ticket is in two committed steps")
    return (sum(key not in has for key in groups),
            sum(did.get(step) != tickets for step, tickets in commits.items()))


def trial(image, how, seconds, groups, commits):
    """One boot: what is left of earlier promises, new ones, and the cut: (lost, serving after)."""
    machine, lines = uml.Machine(image, "ledger", how), []
    try:
        lost = account(machine.until("account complete", 60), groups, commits)
        served = float(machine.until("serving after", 60)[-1].split()[2])
        lines = machine.until("acknowledged", 30)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                lines.append(machine.line(end - time.monotonic()))
            except uml.Gone:
                break
        ledger.need(machine.process.poll() is None, "the machine ended:", lines[-8:])
    finally:
        lines += machine.cut()
    for line in lines:
        words = line.split(" ", 2)
        # The last line may be cut as well.
        if words[0] == "acknowledged" and len(words) == 3 and len(words[2]) == 64:
            groups.setdefault(int(words[1]), words[2])
        elif words[0] == "committed" and line.endswith("]"):
            commits[int(words[1])] = json.loads(words[2])
    return lost, served


def cuts(folder, until, least):
    """Boots until the time is spent: (cuts, promised groups, promised steps, slowest start)."""
    image, groups, commits, count, slowest = f"{folder}/synced.img", {}, {}, 0, 0.0
    uml.make_disk(image)
    while count < least or time.monotonic() < until:
        lost, served = trial(image, "synced", random.uniform(0.2, 2.5), groups, commits)
        slowest = max(slowest, served if count else 0)
        ledger.need(lost == (0, 0), "after cut", count, "groups and steps are lost:", lost)
        count += 1
    lost = look(image, "synced", groups, commits)
    ledger.need(lost == (0, 0), "groups and steps are lost:", lost)
    return count, len(groups), len(commits), slowest


def look(image, how, groups, commits):
    """One boot for an account of the disk alone: (lost groups, lost steps)."""
    machine = uml.Machine(image, "ledger", how)
    try:
        return account(machine.until("account complete", 60), groups, commits)
    finally:
        machine.cut()


def control(folder, how, trials):
    """One cut on each of so many new disks: (promised groups, lost groups, promised and lost steps,
    cuts that lost something)."""
    promised = lost = steps = lost_steps = losing = 0
    for _ in range(trials):
        groups, commits = {}, {}
        image = f"{folder}/{how}.img"
        uml.make_disk(image)
        trial(image, how, random.uniform(0.5, 2.5), groups, commits)
        gone = look(image, how, groups, commits)
        promised, steps = promised + len(groups), steps + len(commits)
        lost, lost_steps, losing = lost + gone[0], lost_steps + gone[1], losing + (sum(gone) > 0)
    return promised, lost, steps, lost_steps, losing


def main():
    begun, seconds, folder = time.monotonic(), float(sys.argv[1]), sys.argv[2]
    # First the controls: this very test must lose promises when the ledger is told not to sync its
    # commits, and when syncs do nothing.
    promised, lost, steps, lost_steps, losing = control(folder, "normal", CONTROLS)
    ledger.need(lost > 0, "nothing was lost with synchronous=NORMAL: the test proves nothing:",
                promised, "groups were promised")
    blind = control(folder, "blind", 1)
    ledger.need(blind[1] > 0, "nothing was lost without syncs: the test proves nothing:", blind)
    count, groups, commits, slowest = cuts(folder, begun + seconds, 6)
    ledger.need(groups > 100, "only", groups, "groups were promised")
    print(f"measured: {count} trials; {groups} acknowledged groups and {commits} steps, none lost "
          f"in {count} power cuts, serving again after {slowest:.2f} s at most; control: with "
          f"synchronous=NORMAL {lost} of {promised} groups and {lost_steps} of {steps} steps were "
          f"lost, in {losing} of {CONTROLS} cuts; with syncs that do nothing {blind[1]} of "
          f"{blind[0]} groups in one")


if __name__ == "__main__":
    main()
