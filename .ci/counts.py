"""Writes into docs/testing.md how often things happened in simulated lives.

    flotilla sim --json --seeds N --disk memory >memory.json
    flotilla sim --json --seeds N --disk pebble >pebble.json
    python3 .ci/counts.py memory.json pebble.json
    python3 .ci/counts.py --queues ...            reports of `flotilla sim --queues`

Several reports of one disk add up. What has never happened on a disk is left out there.
What the table has and the reports lack, or the other way round, fails by its name, so that
nothing goes unseen. Where that is as it should be, say so:

    python3 .ci/counts.py --gone "memory: step clear" --new "pebble: torn page" ...
"""

import argparse
import json
import pathlib
import re
import sys

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "testing.md"
MARK = "counts"
DISKS = ("memory", "pebble")


def ends(mark):
    """Returns what a table of the page stands between."""
    return f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"


def read(table):
    """Returns of how many lives of each disk a table's lines tell, and how often what happened."""
    lines = table.splitlines()
    lives = dict(zip(DISKS, (int(n) for n in re.findall(r"(\d+) lives", lines[0])), strict=True))
    counts = {disk: {} for disk in DISKS}
    for line in lines[2:]:
        _, what, *cells, _ = (cell.strip() for cell in line.split("|"))
        for disk, count in zip(DISKS, cells, strict=True):
            if count:
                counts[disk][what] = int(count)
    return lives, counts


def add(names):
    """Adds reports up: how many lives of each disk, how often what happened, and how many failed."""
    lives, failed = dict.fromkeys(DISKS, 0), 0
    counts = {disk: {} for disk in DISKS}
    for name in names:
        report = json.loads(pathlib.Path(name).read_text())
        disk = report["disk"]
        lives[disk] += report["seeds"]
        failed += len(report["failures"] or [])
        for what, count in report["counts"].items():
            counts[disk][what] = counts[disk].get(what, 0) + count
    return lives, counts, failed


def cells(counts):
    """Returns the names of all that was counted, with their disks."""
    return {f"{disk}: {what}" for disk in DISKS for what in counts[disk]}


def main(words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--queues", action="store_true")
    parser.add_argument("--gone", action="append", default=[])
    parser.add_argument("--new", action="append", default=[])
    parser.add_argument("reports", nargs="+")
    options = parser.parse_args(words)
    begin, end = ends("queue " + MARK if options.queues else MARK)
    text = PAGE.read_text()
    before, rest = text.split(begin)
    table, after = rest.split(end)
    lives, counts, failed = add(options.reports)
    if failed:
        sys.exit(f"{failed} of the seeds failed: counts of lives that were cut short say nothing")
    was, now = cells(read(table)[1]), cells(counts)
    wrong = [f"the table has it, and the reports lack it: {x}" for x in sorted(was - now - set(options.gone))]
    wrong += [f"the reports have it, and the table lacks it: {x}" for x in sorted(now - was - set(options.new))]
    wrong += [f"--gone, and it is not: {x}" for x in options.gone if x not in was - now]
    wrong += [f"--new, and it is not: {x}" for x in options.new if x not in now - was]
    if wrong:
        sys.exit("\n".join(wrong))
    lines = [f"| what happened | memory, {lives['memory']} lives | Pebble, {lives['pebble']} lives |\n", "|---|---:|---:|\n"]
    for what in sorted(set(counts["memory"]) | set(counts["pebble"])):
        row = (str(counts[disk].get(what, "")) for disk in DISKS)
        lines.append(f"| {what} | {' | '.join(row)} |\n")
    PAGE.write_text(before + begin + "".join(lines) + end + after)


if __name__ == "__main__":
    main(sys.argv[1:])
