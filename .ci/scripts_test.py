"""Tests of counts.py and sometimes.py: python3 -m unittest discover -s .ci -p '*_test.py'"""

import json
import pathlib
import tempfile
import unittest

import counts
import sometimes

PAGE = """before
<!-- counts -->
| what happened | memory, 100 lives | Pebble, 50 lives |
|---|---:|---:|
| crash | 200 | 100 |
| flip |  | 30 |
| rare | 10 |  |
<!-- end of counts -->
after
"""


class Scripts(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        page = counts.PAGE
        self.addCleanup(lambda: setattr(counts, "PAGE", page))
        counts.PAGE = self.folder / "page.md"
        counts.PAGE.write_text(PAGE)

    def report(self, disk, seeds, happened, failures=None):
        name = self.folder / f"{disk}.json"
        name.write_text(json.dumps({"disk": disk, "seeds": seeds, "counts": happened, "failures": failures}))
        return str(name)

    def fails(self, run, words, *names):
        """run must say what is wrong, and nothing else, and leave the page as it is."""
        with self.assertRaises(SystemExit) as e:
            run(words)
        lines = str(e.exception).splitlines()
        self.assertEqual(len(lines), len(names), lines)
        for line, name in zip(lines, names):
            self.assertIn(name, line)
        self.assertEqual(counts.PAGE.read_text(), PAGE)

    def test_counts_are_written(self):
        memory, pebble = self.report("memory", 300, {"crash": 7, "rare": 1}), self.report("pebble", 20, {"crash": 8, "flip": 9})
        counts.main([memory, memory, pebble])
        text = counts.PAGE.read_text()
        self.assertIn("| what happened | memory, 600 lives | Pebble, 20 lives |\n", text)
        self.assertIn("| crash | 14 | 8 |\n| flip |  | 9 |\n| rare | 2 |  |\n", text)
        self.assertTrue(text.startswith("before\n") and text.endswith("\nafter\n"))

    def test_no_row_goes_or_comes_unseen(self):
        memory, pebble = self.report("memory", 300, {"crash": 7, "flip": 1}), self.report("pebble", 20, {"crash": 8, "flip": 9})
        self.fails(counts.main, [memory, pebble], "lack it: memory: rare", "the table lacks it: memory: flip")
        self.fails(counts.main, ["--gone", "memory: rare", memory, pebble], "the table lacks it: memory: flip")
        self.fails(counts.main, ["--new", "memory: flip", "--gone", "memory: rare", "--gone", "pebble: crash", memory, pebble], "it is not: pebble: crash")
        counts.main(["--new", "memory: flip", "--gone", "memory: rare", memory, pebble])
        self.assertNotIn("rare", counts.PAGE.read_text())

    def test_counts_of_failed_lives_say_nothing(self):
        self.fails(counts.main, [self.report("memory", 300, {"crash": 7, "rare": 1}, [{}])], "1 of the seeds failed")

    def judge(self, memory, pebble):
        begin, end = counts.ends("counts")
        table = counts.read(PAGE.split(begin)[1].split(end)[0])
        return sometimes.judge(table, counts.add([self.report("memory", 150, memory), self.report("pebble", 25, pebble)])[:2])

    def test_what_must_happen_did(self):
        self.assertEqual(self.judge({"crash": 1, "rare": 1}, {"crash": 1, "flip": 1}), (4, []))
        self.assertEqual(self.judge({"crash": 1, "rare": 1, "odd": 14}, {"crash": 1, "flip": 1}), (4, []))

    def test_what_never_happened_is_named(self):
        judged, wrong = self.judge({"crash": 9}, {"crash": 9})  # rare and flip: 15 times each
        self.assertEqual((judged, len(wrong)), (4, 2))
        self.assertIn("memory: rare (some 15 times", wrong[0])
        self.assertIn("pebble: flip (some 15 times", wrong[1])

    def test_what_the_table_does_not_know_is_named(self):
        _, wrong = self.judge({"crash": 1, "rare": 1, "odd": 15}, {"crash": 1, "flip": 1})
        self.assertEqual(wrong, ["not in the table of docs/testing.md: memory: odd (15 times)"])

    def test_a_table_that_is_not_there_is_told(self):
        self.fails(sometimes.main, [self.report("memory", 150, {"crash": 1, "rare": 1})], "only 2 things could be judged")


if __name__ == "__main__":
    unittest.main()
