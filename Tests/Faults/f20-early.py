"""F20: SIGTERM N milliseconds after the start of each program, for N from 0 to 100.

    f20-early.py SECONDS RUN       a run that was stopped, far from its end

The roles are started as their supervisor starts them, with stop signals held until they watch for
them, and must end with 0 whenever the signal comes. A shell holds nothing: what comes while a
program is still being loaded ends it with 143, as it does any program; that is counted, and must be
over once it has begun.
"""
import os, signal, subprocess, sys, time

import ledger

STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
LOADED_MILLISECONDS = 100  # a program has begun by then, also on a busy machine
LIMIT_SECONDS = 25


def stop_after(words, milliseconds, held):
    """The status of a program that is told to stop so long after its start."""
    mask = (lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOP)) if held else None
    process = subprocess.Popen(
        [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, preexec_fn=mask, start_new_session=True)
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGTERM)
    try:
        _, errors = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise ledger.Broken(f"{words[0]} did not end within {LIMIT_SECONDS} s of SIGTERM")
    return process.returncode, errors.decode(errors="replace")[-500:]


def main():
    end, run = time.monotonic() + float(sys.argv[1]), sys.argv[2]
    programs = ledger.PROGRAMS
    # Nobody serves: learner and actor wait for replay until they are told to stop.
    socket = f"ipc://{ledger.socket_folder(run)}/replay"
    roles = {
        "replay": [programs / "forage-replay", "--run", run],
        "learner": [programs / "forage-learner", "--run", run],
        "actor": [programs / "forage-actor", socket, "--name", "early"],
    }
    whole = [programs / "forage", "run", "--resume", run, "--plain"]
    trials = unloaded = 0
    latest = -1
    while trials == 0 or time.monotonic() < end:
        for milliseconds in [0, 1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 57, 80, 100]:
            for name, words in roles.items():
                status, errors = stop_after(words, milliseconds, held=True)
                ledger.need(status == 0, name, "stopped after", milliseconds, "ms ended with",
                            status, errors)
                trials += 1
            for held in (True, False):
                status, errors = stop_after(whole, milliseconds, held)
                if not held and status == -signal.SIGTERM and milliseconds < LOADED_MILLISECONDS:
                    unloaded, latest = unloaded + 1, max(latest, milliseconds)
                else:
                    ledger.need(status == 0, "forage run stopped after", milliseconds,
                                "ms ended with", status, errors)
                trials += 1
    print(f"measured: {trials} trials of 4 programs, 0 to 100 ms after their start: status 0; of "
          f"those started as a shell does, {unloaded} were ended by the signal while they were "
          f"still being loaded, {latest} ms after their start at the latest")


if __name__ == "__main__":
    main()
