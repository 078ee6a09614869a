"""What DSPy's own optimizers do where a model answers by a rule: facts that `reference.rs` holds ours against.

    pip install dspy optuna numpy && python reference.py

Standard output: one JSON object. The rules are in `reference.rs` as well.
"""
import copy
import json
import os
import re
import sys

import dspy
import dspy.teleprompt.simba as simba_module
from dspy.utils.dummies import DummyLM


class Rule(DummyLM):
    """Answers by a rule, which sees the messages, the settings and how many completions were given before."""

    def __init__(self, rule):
        super().__init__([])
        self.rule, self.seen = rule, []

    def __deepcopy__(self, memo):
        return self

    def copy(self, **settings):
        other = copy.copy(self)
        other.kwargs = {**self.kwargs, **settings}
        return other

    def __call__(self, prompt=None, messages=None, **settings):
        settings = {**self.kwargs, **settings}
        if messages is None:
            messages = [{"role": "user", "content": prompt}]
        self.seen.append((messages, settings))
        return [self.rule(messages, settings, k) for k in range(settings.get("n") or 1)]


def number(messages):
    return int(re.search(r"question (\d+)", messages[-1]["content"]).group(1))


def say(**fields):
    return "\n\n".join("[[ ## %s ## ]]\n%s" % field for field in fields.items()) + "\n\n[[ ## completed ## ]]"


def even(messages, settings, k):
    i = number(messages)
    return say(reasoning="because %d" % i, answer="answer %d" % i if i % 2 == 0 else "wrong")


def rows(n):
    made = [dspy.Example(question="question %d" % i, answer="answer %d" % i) for i in range(n)]
    return [row.with_inputs("question") for row in made]


def metric(row, said, trace=None, *more):
    return float(row.answer == said.answer)


def student():
    return dspy.ChainOfThought("question -> answer")


def run(work, rule):
    lm = Rule(rule)
    with dspy.context(lm=lm):
        return work(lm), lm.seen


def asked(demos):
    return [int(demo["question"].split()[1]) for demo in demos]


def labeled():
    out, seen = run(lambda lm: dspy.LabeledFewShot(k=16).compile(student(), trainset=rows(20)), even)
    return {"demos": len(out.predict.demos), "calls": len(seen), "fields": sorted(out.predict.demos[0].keys())}


def bootstrap():
    out, seen = run(lambda lm: dspy.BootstrapFewShot(metric=metric).compile(student(), trainset=rows(20)), even)
    traced = [demo for demo in out.predict.demos if demo.get("reasoning")]
    raw = [demo for demo in out.predict.demos if not demo.get("reasoning")]
    itself = [str(number(messages)) in re.findall(r"question (\d+)", messages[k]["content"])
              for messages, _ in seen for k in range(1, len(messages) - 1)]
    return {"calls": [number(messages) for messages, _ in seen], "traced": asked(traced), "raw": len(raw),
            "raw_from_traced": bool(set(asked(raw)) & set(asked(traced))), "sees_itself": any(itself),
            "traced_first": all(demo.get("reasoning") for demo in out.predict.demos[:len(traced)])}


def random_search():
    search = dspy.BootstrapFewShotWithRandomSearch(metric=metric, num_threads=1)
    out, _ = run(lambda lm: search.compile(student(), trainset=rows(20), valset=rows(1)), even)
    found = {}
    for candidate in out.candidate_programs:
        demos = candidate["program"].predict.demos
        found[candidate["seed"]] = [sum(1 for demo in demos if demo.get("reasoning")), len(demos)]
    return {"candidates": len(found), "fixed": [found[seed] for seed in (-3, -2, -1)],
            "sizes": sorted({found[seed][0] for seed in range(16)}), "totals": sorted({found[seed][1] for seed in range(16)})}


def copro():
    shown = []

    def rule(messages, settings, k):
        system = messages[0]["content"]
        if "proposed_instruction" in system:
            if k == 0:
                shown.append((messages[-1]["content"], settings["temperature"]))
            rule.given += 1
            return say(proposed_instruction="Instruction %d." % rule.given, proposed_prefix_for_output_field="Answer:")
        i, of = number(messages), re.search(r"Instruction (\d+)\.", system)
        return say(reasoning="r", answer="answer %d" % i if of and i < 3 * int(of.group(1)) % 20 else "wrong")

    rule.given = 0
    work = dspy.COPRO(metric=metric, breadth=3, depth=3)
    run(lambda lm: work.compile(student(), trainset=rows(20), eval_kwargs=dict(num_threads=1)), rule)
    scores = [[float(score) for score in re.findall(r"Resulting Score #\d+: ([\d.]+)", text)] for text, _ in shown[1:]]
    return {"best_last": all(found == sorted(found) for found in scores), "attempts": [len(found) for found in scores],
            "temperature": shown[0][1]}


def simba():
    """Row i is right in the first i mod 7 of its samples."""
    steps = []

    def rule(messages, settings, k):
        if "module_advice" in messages[0]["content"]:
            rule.given += 1
            return say(discussion="d", module_advice=json.dumps({"predict": "Advice %d." % rule.given}))
        i, sample = number(messages), settings.get("rollout_id")
        right = sample is not None and i % 7 > sample
        return say(reasoning="because %d" % i, answer="answer %d" % i if right else "wrong")

    rule.given = 0

    def noted(strategy, name):
        def work(bucket, system, **more):
            before = (len(system.predict.demos), system.predict.signature.instructions)
            done = strategy(bucket, system, **more)
            instructions = system.predict.signature.instructions
            steps.append({
                "kind": name, "class": number([{"content": bucket[0]["example"].question}]) % 7, "done": done,
                "demos": len(system.predict.demos) - before[0],
                "fields": sorted(system.predict.demos[-1].keys()) if system.predict.demos else [],
                "appended": instructions.startswith(before[1]) and instructions[len(before[1]):].startswith("\n\nAdvice"),
                "low": float(more["batch_10p_score"]), "high": float(more["batch_90p_score"]),
            })
            return done
        work.__name__ = name
        return work

    work = dspy.SIMBA(metric=metric, max_steps=1, num_threads=1)
    work.strategies = [noted(strategy, name) for strategy, name in zip(work.strategies, ("demo", "rule"))]
    out, seen = run(lambda lm: work.compile(student(), trainset=rows(32)), rule)
    answers = sum(1 for messages, _ in seen if "module_advice" not in messages[0]["content"])
    return {"steps": steps, "answers": answers - 32 * len(out.candidate_programs)}


def gepa():
    """The first instruction is no better on its minibatch, the second is."""
    def rule(messages, settings, k):
        right = "Better." in messages[0]["content"]
        return say(reasoning="r", answer="answer %d" % number(messages) if right else "wrong")

    def reflects(messages, settings, k):
        reflects.given += 1
        return json.dumps({"new_instruction": "Worse." if reflects.given == 1 else "Better."})

    reflects.given = 0

    def judged(row, said, trace=None, name=None, of=None):
        return dspy.Prediction(score=float(row.answer == said.answer), feedback="f")

    work = dspy.GEPA(metric=judged, max_metric_calls=20, reflection_lm=Rule(reflects), num_threads=1, seed=0,
                     skip_perfect_score=False, use_merge=False)
    out, seen = run(lambda lm: work.compile(student(), trainset=rows(6), valset=rows(4)), rule)
    named = lambda system: next((name for name in ("Worse.", "Better.") if name in system), "start")
    asked_by = [(named(messages[0]["content"]), number(messages)) for messages, _ in seen]
    # The validation rows of the start; a minibatch with it, then with what is no better; another one, which is followed by
    # the validation rows, since it is better.
    return {"order": [name for name, _ in asked_by][:20],
            "same_rows": all(sorted(n for _, n in asked_by[at:at + 3]) == sorted(n for _, n in asked_by[at + 3:at + 6])
                             for at in (4, 10)),
            "accepted": out.predict.signature.instructions}


def tpe():
    """How many trials Optuna's estimator needs to the best of 8 x 8, as MIPROv2 sets it up; at most 64."""
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def found(seed):
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
        for n in range(1, 65):
            trial = study.ask()
            a = trial.suggest_categorical("a", range(8))
            b = trial.suggest_categorical("b", range(8))
            score = float(a == 5) + float(b == 2)
            if score >= 2:
                return n
            study.tell(trial, score)
        return 64

    return {"mean": sum(map(found, range(100))) / 100}


out = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
facts = {work.__name__: work() for work in (labeled, bootstrap, random_search, copro, simba, gepa, tpe)}
json.dump({"dspy": dspy.__version__, **facts}, out)
