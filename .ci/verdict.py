"""Reads `go test -json` and prints what matters; fails if a test failed or was skipped."""
import collections
import json
import sys

output = collections.defaultdict(list)
bad = 0
for line in sys.stdin:
    if not line.startswith("{"):
        print(line, end="")
        continue
    event = json.loads(line)
    name = (event.get("Package") or event.get("ImportPath"), event.get("Test"))
    action = event["Action"]
    if action in ("output", "build-output"):
        output[name].append(event["Output"])
    elif action in ("fail", "build-fail") or action == "skip" and name[1]:
        bad += 1
        print("%s: %s %s" % (action.upper(), name[0], name[1] or ""))
        print("".join(output[name]), end="")
    elif action == "pass" and not name[1]:
        print("ok  %-32s %6.1f s" % (name[0], event["Elapsed"]))
    if action in ("pass", "fail", "skip"):
        output.pop(name, None)
sys.exit("%d tests failed or were skipped" % bad if bad else 0)
