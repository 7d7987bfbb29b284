"""Fails if simulated lives never did what such lives do: a path that is not taken tests nothing.

    python3 .ci/sometimes.py report.json...              reports of `flotilla sim --json`
    python3 .ci/sometimes.py --queues report.json...     and of those with --queues

docs/testing.md says how often each thing happened (.ci/counts.py wrote that down). What should
have happened at least so often in these lives, and never did, is named.
"""

import json
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "testing.md"
LEAST = 40  # to miss something that should happen so often, by chance: once in 10^17


def rates(mark):
    """Returns, for each disk, what happened and how often in one life."""
    table = PAGE.read_text().split(f"<!-- {mark} -->\n")[1].split(f"<!-- end of {mark} -->")[0].splitlines()
    lives = [int(n) for n in re.findall(r"(\d+) lives", table[0])]
    found = {"memory": {}, "pebble": {}}
    for line in table[2:]:
        _, what, memory, pebble, _ = (cell.strip() for cell in line.split("|"))
        for disk, count, n in (("memory", memory, lives[0]), ("pebble", pebble, lives[1])):
            if count:
                found[disk][what] = int(count) / n
    return found


def main(names):
    mark, least_judged = "counts", 50
    if names[:1] == ["--queues"]:
        mark, least_judged, names = "queue counts", 40, names[1:]
    seeds, counts = {"memory": 0, "pebble": 0}, {"memory": {}, "pebble": {}}
    for name in names:
        report = json.loads(pathlib.Path(name).read_text())
        disk = report["disk"]
        seeds[disk] += report["seeds"]
        for what, count in report["counts"].items():
            counts[disk][what] = counts[disk].get(what, 0) + count
    expected = rates(mark)
    missing, judged = [], 0
    for disk in seeds:
        for what, rate in expected[disk].items():
            if rate * seeds[disk] >= LEAST:
                judged += 1
                if not counts[disk].get(what):
                    missing.append(f"{disk}: {what} (some {rate * seeds[disk]:.0f} times, as docs/testing.md has it)")
    if missing:
        sys.exit("what never happened, and should have:\n" + "\n".join(missing))
    if judged < least_judged:
        sys.exit(f"only {judged} things could be judged: is the table in docs/testing.md there?")
    print(f"{judged} things that happen in such lives did")


main(sys.argv[1:])
