"""Fails if simulated lives never did what such lives do: a path that is not taken tests nothing.

    python3 .ci/sometimes.py report.json...              reports of `flotilla sim --json`
    python3 .ci/sometimes.py --queues report.json...     and of those with --queues

docs/testing.md says how often each thing happened (.ci/counts.py wrote that down). What should
have happened LEAST times in these lives, and never did, is named; so is what happened as often,
and the table does not know.
"""

import sys

import counts

# To miss by chance what should happen so often: once in 3 million runs (e^-15) if it happens once in
# a life. What comes in bunches is missed sooner: by the lives in which each thing happened, one run
# in five million misses any of them, of keys, of queues, or on either disk (measured, 2026-11-27).
LEAST = 15


def judge(table, reports):
    """Returns how many things could be judged, and what is wrong. Both are what counts.read returns."""
    (lives, happened), (played, seen) = table, reports
    judged, wrong = 0, []
    for disk in counts.DISKS:
        for what, count in happened[disk].items():
            expected = count / lives[disk] * played[disk]
            if expected < LEAST:
                continue
            judged += 1
            if not seen[disk].get(what):
                wrong.append(f"never happened: {disk}: {what} (some {expected:.0f} times, as docs/testing.md has it)")
        for what, count in seen[disk].items():
            if count >= LEAST and what not in happened[disk]:
                wrong.append(f"not in the table of docs/testing.md: {disk}: {what} ({count} times)")
    return judged, wrong


def main(names):
    mark, least_judged = counts.MARK, 50
    if names[:1] == ["--queues"]:
        mark, least_judged, names = "queue " + counts.MARK, 40, names[1:]
    begin, end = counts.ends(mark)
    table = counts.read(counts.PAGE.read_text().split(begin)[1].split(end)[0])
    judged, wrong = judge(table, counts.add(names)[:2])
    if wrong:
        sys.exit("\n".join(wrong))
    if judged < least_judged:
        sys.exit(f"only {judged} things could be judged: is the table in docs/testing.md there?")
    print(f"{judged} things that happen in such lives did")


if __name__ == "__main__":
    main(sys.argv[1:])
