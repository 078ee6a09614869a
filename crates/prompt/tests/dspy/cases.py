"""What DSPy's adapters say for the programs in here. Writes cases.json; tests/dspy.rs holds ours against it.

    pip install dspy==3.4.1 && python cases.py > cases.json
"""
import json
from typing import Any, Literal, Optional

import dspy


def look_up(word: str, times: int) -> str:
    """Looks a word up.
    Slowly."""
    return word * times


def signature(text, instructions="", descriptions=None):
    made = dspy.Signature(text, instructions) if instructions else dspy.Signature(text)
    for name, description in (descriptions or {}).items():
        made = made.with_updated_fields(name, desc=description)
    return made


CASES = [
    dict(signature="question -> answer"),
    dict(signature="question -> answer", instructions="Answer.\n\n    Indented,\n  less.\t\n", inputs={"question": "  Why?\n"}),
    dict(
        signature="question, context: list[str], n: int -> answer: float, ok: bool, tags: list[str], label: Literal['a', \"it's\"], more: dict[str, Any]",
        instructions="Judge it.",
        descriptions={"question": "What is asked.", "answer": "A number."},
        inputs={"question": "Wie groß?", "context": ["a \"b\"", "c\nd"], "n": 3},
        demos=[
            {"question": "One", "context": [], "n": 1, "answer": 1.0, "ok": True, "tags": ["x", "y"], "label": "a", "more": {"k": [1, None, 1e20, True]}},
            {"question": "Two", "answer": 2e-07},
            {"question": "None", "context": ["c"], "n": 1, "answer": 1.5, "ok": False, "tags": [], "label": "a", "more": None},
            {"context": ["unused"]},
        ],
    ),
    dict(
        signature="text -> maybe: Optional[int], one: Literal['x'], some: Literal[1, 2], d: dict[str, int], l: list, a: dict",
        inputs={"text": ["one"]},
    ),
    dict(signature="text -> y", inputs={"text": ["one", "two «x»", "th\nree"]}),
    dict(signature="text -> y", inputs={"text": []}),
    dict(signature="question -> answer: int", instructions="Count.", module="chain_of_thought", inputs={"question": "2+2"},
         demos=[{"question": "1+1", "reasoning": "Two.", "answer": 2}, {"question": "0", "answer": 0}]),
    dict(signature="question -> answer", instructions="Find out.", module="react", inputs={"question": "Who?"}),
    dict(signature="question, hint: int -> answer: int, why", module="react", inputs={"question": "Who?", "hint": 2}),
]


def predictors(case):
    made = signature(case["signature"], case.get("instructions", ""), case.get("descriptions"))
    module = case.get("module", "predict")
    if module == "predict":
        return [dspy.Predict(made)]
    if module == "chain_of_thought":
        return [dspy.ChainOfThought(made).predict]
    react = dspy.ReAct(made, tools=[look_up])
    return [react.react, react.extract.predict]


ANSWERS = [
    dict(signature="question -> answer", text="[[ ## answer ## ]]\nParis\n\n[[ ## completed ## ]]"),
    dict(signature="question -> answer", text="talk\n[[ ## answer ## ]] on the line\nand\x0bmore  \n[[ ## other ## ]]\nx\n[[ ## answer ## ]]\ntwice"),
    dict(signature="q -> a: int, b: list[str], c: bool", text="[[ ## a ## ]]\n 42\n[[ ## b ## ]]\n['x', \"y\"]\n[[ ## c ## ]]\nTrue\n"),
    dict(signature="q -> a: int", text="[[ ## a ## ]]\nabout four"),
    dict(signature="q -> a, b", text="[[ ## a ## ]]\nonly"),
    dict(signature="q -> a: Literal['yes', 'no']", text="[[ ## a ## ]]\n'yes'\n"),
    dict(signature="q -> a: Literal['yes', 'no']", text="[[ ## a ## ]]\nYES\n"),
    dict(signature="q -> a: Optional[int], b", text="[[ ## b ## ]]\nx"),
    dict(signature="q -> a: float", text="[[ ## a ## ]]\n3"),
    dict(signature="q -> a: dict[str, int]", text="[[ ## a ## ]]\n```json\n{\"k\": 1}\n```"),
]

said, read = [], []
for case in CASES:
    inputs = case.get("inputs", {"question": "Why?"})
    for predictor in predictors(case):
        full = dict(inputs)
        if "trajectory" in predictor.signature.input_fields:
            full["trajectory"] = "[[ ## thought_0 ## ]]\nhm"
        demos = case.get("demos", [])
        said.append({
            **case, "inputs": full, "demos": demos,
            "chat": dspy.ChatAdapter().format(predictor.signature, demos, full),
            "json": dspy.JSONAdapter().format(predictor.signature, demos, full),
        })
for answer in ANSWERS:
    try:
        fields = dict(dspy.ChatAdapter().parse(signature(answer["signature"]), answer["text"]))
    except Exception:
        fields = None
    read.append({**answer, "fields": fields})
print(json.dumps({"said": said, "read": read}, indent=1, ensure_ascii=False))
