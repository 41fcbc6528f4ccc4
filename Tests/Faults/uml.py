"""A second Linux as a process (user-mode-linux), to cut the power of: killing it loses every page
of its disk that was not synced, and tears the write that was under way.

It boots this machine's own files, read-only, in about two seconds; its one disk is an image file.
"""
import os, pathlib, queue, signal, subprocess, threading, time

HERE = pathlib.Path(__file__).parent.resolve()


class Gone(Exception):
    """The machine ended, or said nothing in time."""


class Machine:
    """Boots at once and runs power-inside.sh with these words; its lines are the console's."""

    def __init__(self, image, *words, memory="1G"):
        python = os.environ.get("FORAGE_PYTHON", "python3")
        self.process = subprocess.Popen(
            ["linux.uml", f"ubd0={image}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/",
             "ro", f"mem={memory}", "con=null", "con0=null,fd:1", "ssl=null", "quiet",
             "loglevel=1", f"init={HERE}/power-inside.sh", f"FORAGE_PYTHON={python}",
             "FORAGE_WORDS=" + ",".join(map(str, words))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.queue = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.queue.put(line.decode(errors="replace").rstrip())
        self.queue.put(None)

    def line(self, seconds):
        """The next line; raises Gone when there is none in time or no machine any more."""
        try:
            line = self.queue.get(timeout=max(0.001, seconds))
        except queue.Empty:
            raise Gone(f"nothing for {seconds:.0f} s") from None
        if line is None:
            self.queue.put(None)
            raise Gone("the machine ended")
        return line

    def until(self, start, seconds):
        """All lines up to the first that starts so; that one included."""
        end, lines = time.monotonic() + seconds, []
        while True:
            try:
                lines.append(self.line(end - time.monotonic()))
            except Gone as gone:
                raise Gone(f"{gone}, waiting for {start!r}; last: {lines[-8:]}") from None
            if lines[-1].startswith(start):
                return lines

    def cut(self):
        """The power goes: kill -9 of the kernel and all its threads; what was said before it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        lines = []
        while (line := self.queue.get()) is not None:
            lines.append(line)
        return lines

    def wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.cut()
            raise Gone("the machine did not halt") from None


def make_disk(path, megabytes=1024):
    with open(path, "wb") as file:
        file.truncate(megabytes << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", str(path)], check=True)
