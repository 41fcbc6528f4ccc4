"""The account of a ledger: its integrity, and rows of a table under a condition.

    count.py FILE groups "key >= 0"
"""
import sqlite3, sys

file = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
answer = file.execute("PRAGMA integrity_check").fetchall()
if answer != [("ok",)]:
    sys.exit(f"{sys.argv[1]}: {answer}")
where = sys.argv[3] if len(sys.argv) > 3 else "true"
print(file.execute(f"SELECT count(*) FROM {sys.argv[2]} WHERE {where}").fetchone()[0])
