"""Writes into docs/testing.md how often things happened in simulated lives.

    flotilla sim --json --seeds N --disk memory >memory.json
    flotilla sim --json --seeds N --disk pebble >pebble.json
    python3 .ci/counts.py memory.json pebble.json
    python3 .ci/counts.py --queues ...            reports of `flotilla sim --queues`

Several reports of one disk add up. What has never happened on a disk is left out there.
"""

import json
import pathlib
import sys

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "testing.md"
MARK = "counts"
DISKS = ("memory", "pebble")


def main(names):
    mark = MARK
    if names[:1] == ["--queues"]:
        mark, names = "queue " + MARK, names[1:]
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    seeds = dict.fromkeys(DISKS, 0)
    counts = {disk: {} for disk in DISKS}
    failed = 0
    for name in names:
        report = json.loads(pathlib.Path(name).read_text())
        disk = report["disk"]
        seeds[disk] += report["seeds"]
        failed += len(report["failures"] or [])
        for what, count in report["counts"].items():
            counts[disk][what] = counts[disk].get(what, 0) + count
    if failed:
        sys.exit(f"{failed} of the seeds failed: counts of lives that were cut short say nothing")
    lines = [f"| what happened | memory, {seeds['memory']} lives | Pebble, {seeds['pebble']} lives |\n", "|---|---:|---:|\n"]
    for what in sorted(set(counts["memory"]) | set(counts["pebble"])):
        cells = (str(counts[disk].get(what, "")) for disk in DISKS)
        lines.append(f"| {what} | {' | '.join(cells)} |\n")
    text = PAGE.read_text()
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text(before + begin + "".join(lines) + end + after)


if __name__ == "__main__":
    main(sys.argv[1:])
