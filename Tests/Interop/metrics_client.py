"""Prometheus' own parser on the pages of a run with two actors.

    python metrics_client.py free N          a port from which N in a row are free
    python metrics_client.py hold PORT       says so and holds it until it is ended
    python metrics_client.py look PORT PAGE  every claim is an assert; PAGE names every family
"""

import re
import socket
import sys
import time
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

ROLES = ["run", "replay", "learner", "actor-0", "actor-1"]


def bound(port):
    taken = socket.socket()
    taken.bind(("127.0.0.1", port))
    return taken


def free(count):
    for port in range(44300, 44900, count):
        try:
            for taken in [bound(port + offset) for offset in range(count)]:
                taken.close()
            return port
        except OSError:
            continue
    raise SystemExit("no free ports")


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as reply:
            return reply.status, reply.headers["content-type"], reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def scrape(port):
    """Families by name, and samples by (name, labels)."""
    status, kind, text = get(port, "/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert all(family.documentation and family.type != "unknown" for family in families.values())
    samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
               for family in families.values() for sample in family.samples}
    return families, samples


def check_histograms(families):
    """Buckets grow to the count, and the sum lies between what they allow."""
    seen = 0
    for family in families.values():
        if family.type != "histogram":
            continue
        series = {}
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
            series.setdefault(labels, []).append(sample)
        for samples in series.values():
            buckets = [(float(s.labels["le"]), s.value) for s in samples if "le" in s.labels]
            assert buckets == sorted(buckets) and buckets[-1][0] == float("inf")
            counts = [count for _, count in buckets]
            assert counts == sorted(counts)
            total = [s.value for s in samples if s.name.endswith("_sum")][0]
            assert counts[-1] == [s.value for s in samples if s.name.endswith("_count")][0]
            least = sum(low * (here - before) for (low, _), (_, before), (_, here)
                        in zip(buckets, buckets, buckets[1:]))
            assert total >= 0.99 * least, (family.name, total, least)
            seen += 1
    return seen


def look(port, page):
    named = set(re.findall(r"^\| `(forage_\w+)`", open(page).read(), re.M))
    ports = {role: port + offset for offset, role in enumerate(ROLES)}
    for role, place in ports.items():
        assert get(place, "/healthz")[0] == 200, role
        for _ in range(100):
            ready = get(place, "/readyz")
            if ready[0] == 200:
                break
            time.sleep(0.1)
        assert ready[0] == 200, (role, ready)
    first = {role: scrape(place) for role, place in ports.items()}
    time.sleep(2.5)
    second = {role: scrape(place) for role, place in ports.items()}
    for role in ROLES:
        families, samples = second[role]
        missing = {family.name + ("_total" if family.type == "counter" else "")
                   for family in families.values()} - named
        assert not missing, (role, missing)
        assert samples["forage_process_resident_bytes", ()] > 1 << 20
        assert any(name == "forage_strand_turn_seconds" for name, _ in samples)
        for key, value in first[role][1].items():
            if key[0].endswith("_total"):
                assert samples[key] >= value, (role, key)
        if role != "run":
            assert check_histograms(families) >= 5, role

    def value(process, name, /, **labels):
        return second[process][1][name, tuple(sorted(labels.items()))]

    assert value("run", "forage_run_steps") == 10000 and value("run", "forage_run_step") >= 5
    assert value("run", "forage_run_processes") == 4
    steps = value("learner", "forage_learner_steps_total", outcome="trained")
    assert steps >= 5 and value("learner", "forage_step_metric", key="step") >= 5
    assert value("replay", "forage_replay_step") >= 5
    assert value("replay", "forage_replay_groups_accepted_total") >= 5 * 4
    assert value("replay", "forage_replay_peers", role="actor") == 2
    assert value("replay", "forage_replay_commits_total") >= 5
    for role in ("actor-0", "actor-1"):
        tokens = [pages[role][1]["forage_actor_tokens_total", ()] for pages in (first, second)]
        assert 0 < tokens[0] < tokens[1], (role, tokens)
    moved = sum(len(pages[1]) for pages in second.values())
    print(f"{moved} samples of {len(ROLES)} processes, all of them on the page")


if sys.argv[1] == "free":
    print(free(int(sys.argv[2])))
elif sys.argv[1] == "hold":
    holder = bound(int(sys.argv[2]))
    holder.listen()
    print("held", flush=True)
    time.sleep(60)
else:
    look(int(sys.argv[2]), sys.argv[3])
