#!/usr/bin/env python3
"""Make the rows of the prompt tasks from what was written by hand; the same each time.

    python3 bench/prompts/make.py            # writes the suites' rows
    python3 bench/prompts/make.py --check    # says whether the rows that are there are these; code 1 if not
"""
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SEED = 6


def tickets():
    """Each message once: 40 to learn from, 72 that decide, 80 sealed, with the teams spread evenly."""
    by_team, team = {}, None
    for line in (HERE / "tickets.txt").read_text().splitlines():
        if line.startswith("["):
            team = line.strip("[]")
        elif line and not line.startswith("#"):
            by_team.setdefault(team, []).append(line)
    rng = random.Random(SEED)
    dealt = []
    for team, messages in by_team.items():
        rng.shuffle(messages)
        dealt += [(i / len(messages) + rng.random() / 100, message, team) for i, message in enumerate(messages)]
    dealt.sort()
    splits = ["train"] * 40 + ["validation"] * 72 + ["holdout"] * 80
    rows = [{"message": m, "expected": t, "split": s} for (_, m, t), s in zip(dealt, splits, strict=True)]
    rng.shuffle(rows)
    return rows


ITEMS = [
    ("lamp", "lamps"), ("wool blanket", "wool blankets"), ("mug", "mugs"), ("garden chair", "garden chairs"), ("shelf", "shelves"),
    ("knife", "knives"), ("picture frame", "picture frames"), ("candle", "candles"), ("towel", "towels"), ("glove", "gloves"),
    ("wine glass", "wine glasses"), ("flower pot", "flower pots"), ("brush", "brushes"), ("bed sheet", "bed sheets"),
    ("sock", "socks"), ("battery", "batteries"), ("door handle", "door handles"), ("cushion", "cushions"),
]
NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()


def amount(kind, rng, one, many):
    """How many pieces, and the words for it."""
    few, n = rng.randint(2, 9), rng.randint(11, 60)
    size = rng.choice([4, 6, 8, 10, 20])
    match kind:
        case "plain":
            return n, f"{n} {many}"
        case "word":
            n = rng.randint(3, 16)
            return n, f"{NUMBERS[n]} {many}"
        case "one":
            return 1, rng.choice([f"a single {one}", f"one {one}", f"just the one {one}"])
        case "dozen":
            return 12 * few, f"{NUMBERS[few]} dozen {many}"
        case "half":
            return 6, f"half a dozen {many}"
        case "pairs":
            return 2 * few, f"{NUMBERS[few]} pairs of {many}"
        case "boxes":
            box = rng.choice(["boxes", "packs", "crates", "sets"])
            return few * size, f"{few} {box} of {size} {many}"
        case "loose":
            more = rng.randint(1, 5)
            return few * size + more, f"{NUMBERS[few]} boxes of {size} {many} and {NUMBERS[more]} loose"
        case "changed":
            return n + few, f"{n} {many}, no, sorry, make that {n + few}"
        case "more":
            return n + few, f"the usual {n} {many} plus {few} more"
        case "rest":
            return n, f"{n + few} {many} less the {NUMBERS[few]} that you have sent already"
        case "each":
            return few * size, f"{size} {many} for each of our {NUMBERS[few]} shops"


KINDS = ["plain", "word", "one", "dozen", "half", "pairs", "boxes", "loose", "changed", "more", "rest", "each"]
# `{}` is the amount with its thing; other numbers are there to mislead.
TEXTS = [
    "Please send us {}.", "Hello, we need {} by the 14th.", "Order 5512: {}, as discussed.", "Could I have {}? I paid 80 euros last time.",
    "We'd like {} for the new shop at 23 Mill Road.", "For room 104: {}.", "{}, please. Call me on 0664 2218 if they are out of stock.",
    "Hi Tom, put me down for {} and have a good weekend!", "As on page 31 of the catalogue, {}.", "Our customer no. is 771. This month it is {}.",
    "Delivery between 8 and 10 if you can, it's {}.", "My boss wants {}. The old ones lasted 3 years.", "{}. Same price as in May, 4.50 apiece?",
    "Can you still get me {} before Friday the 2nd?", "Same as every spring: {}.", "I'm opening my second cafe, so {}, thanks.",
    "Re your offer of 12 March, we take {}.", "Would {} fit into one van? If so, send them.",
]


def orders():
    """Drawn one by one; each way to say an amount is as likely in each split, and no two texts are the same."""
    rng = random.Random(SEED)
    rows, seen = [], set()
    for split, count in [("train", 36), ("validation", 60), ("holdout", 72)]:
        for i in range(count):
            while True:
                one, many = rng.choice(ITEMS)
                pieces, words = amount(KINDS[i % len(KINDS)], rng, one, many)
                text = rng.choice(TEXTS).format(words)
                text = text[0].upper() + text[1:]
                if text not in seen:
                    break
            seen.add(text)
            rows.append({"order": text, "expected": {"item": one, "pieces": pieces}, "split": split})
    rng.shuffle(rows)
    return rows


CHANGES = {
    "feat": ["add {o} to {p}", "support {o} in {p}", "let {p} export {o}", "allow {o} for {p}", "introduce {o}",
             "{p}: new option for {o}", "show {o} on the start page", "sort and filter {o}", "users can now share {o}"],
    "fix": ["handle missing {o} in {p}", "do not crash when {p} has no {o}", "{p}: wrong {o} after a restart", "prevent duplicate {o}",
            "correct the rounding in {p}", "{p} no longer loses {o}", "close the race between {p} and {q}", "off by one in {o}",
            "escape quotes in {o}"],
    "perf": ["read {o} in one query", "cache {o} between calls", "{p}: avoid copying {o}", "halve the memory that {o} take",
             "look up {o} by hash instead of a scan", "load {o} only when {p} needs them", "batch the writes of {p}",
             "{p} starts twice as fast", "stream {o} instead of holding them all"],
    "refactor": ["move {o} into a module of their own", "rename {o} for clarity", "split {p} into two classes",
                 "{p}: extract {o} from the handler", "replace inheritance by composition in {p}", "inline the helper of {p}",
                 "{p} and {q} share one base", "remove dead code around {o}", "pass {o} as an argument instead of a global"],
    "docs": ["explain {o} in the README", "describe how {p} deals with {o}", "typo in the guide to {p}", "example for {o}",
             "link to the page on {o}", "say what {p} does with {o}", "document the limits of {p}", "changelog entry for {o}",
             "comment on why {p} waits for {q}"],
    "test": ["cover {o} with a case", "check that {p} refuses bad {o}", "make the check of {p} less flaky", "property for {o}",
             "raise coverage of {p}", "snapshots of {o}", "fixture with ten thousand {o}", "end-to-end case for {p} and {q}",
             "stub out {p} in the suite of {q}"],
    "build": ["bump {l} to {v}", "pin the version of {l}", "drop {l} from the dependencies", "compile {p} with optimisation",
              "upgrade the compiler to {v}", "link {l} statically", "switch the bundler to {l}", "allow {l} {v} and later",
              "strip symbols from the binary of {p}"],
    "ci": ["run {p} checks on every push", "cache packages between jobs of {p}", "publish {p} from the pipeline",
           "run the nightly job of {p} on ARM too", "fail the workflow on warnings in {p}", "limit the jobs of {p} to {m} minutes",
           "skip the pipeline for drafts of {p}", "one runner for {p} and {q}", "keep the artifacts of {p} for {m} days"],
}
THINGS = ["invoices", "session tokens", "avatars", "user names", "time zones", "search results", "uploads", "webhooks", "price lists",
          "address labels", "feature flags", "log lines"]
PARTS = ["the importer", "checkout", "the scheduler", "the admin page", "the mobile client", "the mailer", "the parser", "billing",
         "the gateway", "the queue"]
LIBRARIES = ["openssl", "zlib", "react", "serde", "numpy", "protobuf", "esbuild", "sqlite"]


def commits():
    """Drawn one by one; each type is as likely in each split, and no two subjects are the same."""
    rng = random.Random(SEED)
    rows, seen = [], set()
    for split, count in [("train", 40), ("validation", 80), ("holdout", 80)]:
        for i in range(count):
            kind = list(CHANGES)[i % len(CHANGES)]
            while True:
                part, other = rng.sample(PARTS, 2)
                version = f"{rng.randint(1, 9)}.{rng.randint(0, 30)}"
                subject = rng.choice(CHANGES[kind]).format(
                    o=rng.choice(THINGS), p=part, q=other, l=rng.choice(LIBRARIES), v=version, m=rng.choice([5, 10, 14, 30, 45]))
                if subject not in seen:
                    break
            seen.add(subject)
            rows.append({"subject": subject, "expected": kind, "split": split})
    rng.shuffle(rows)
    return rows


TASKS = {"commits": commits, "orders": orders, "tickets": tickets}


def main():
    same = True
    for name, make in TASKS.items():
        text = "".join(json.dumps(row) + "\n" for row in make())
        path = HERE / name / "suite" / "rows.jsonl"
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                print(f"{path} is not what make.py makes", file=sys.stderr)
                same = False
        else:
            path.write_text(text)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
