"""Writes programs as the installed DSPy saves them, into the folder `saved`: `python save.py`."""

import pathlib

import dspy

FOLDER = pathlib.Path(__file__).parent / "saved"


class Several(dspy.Module):
    def __init__(self):
        super().__init__()
        self.draft = dspy.Predict("topic -> draft")
        self.polish = dspy.ChainOfThought("draft, tone -> text")


class Told(dspy.Signature):
    """Answer shortly."""

    question: str = dspy.InputField(desc="What is asked.")
    answer: str = dspy.OutputField(desc="Shortly.")
    sure: bool = dspy.OutputField(desc="Whether it is certain.")


class Count(dspy.Signature):
    """Count."""

    question: str = dspy.InputField()
    answer: int = dspy.OutputField(desc="A whole number.")


predict = dspy.Predict("question, hint -> answer")
predict.demos = [
    dspy.Example(question="Why?", hint="h", answer="So.").with_inputs("question", "hint"),
    dspy.Example(question="Where?", answer="There."),
]
cot = dspy.ChainOfThought(Count)
cot.predict.demos = [dspy.Example(question="1+1", reasoning="Two.", answer=2)]
several = Several()
several.polish.predict.demos = [dspy.Example(draft="d", tone="dry", reasoning="r", text="t")]

FOLDER.mkdir(exist_ok=True)
for name, program in [("predict", predict), ("cot", cot), ("several", several), ("told", dspy.Predict(Told))]:
    program.save(str(FOLDER / f"{dspy.__version__}-{name}.json"))
