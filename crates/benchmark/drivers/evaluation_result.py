"""The one name that evaluators take from OpenEvolve, for machines where it is not installed."""


class EvaluationResult:
    """Metrics that count, and artifacts that tell."""

    def __init__(self, metrics, artifacts=None):
        self.metrics = metrics
        self.artifacts = {} if artifacts is None else artifacts

    def __repr__(self):
        return "EvaluationResult(metrics=%r, artifacts=%r)" % (self.metrics, self.artifacts)

    def __eq__(self, other):
        if not isinstance(other, EvaluationResult):
            return NotImplemented
        return (self.metrics, self.artifacts) == (other.metrics, other.artifacts)

    @classmethod
    def from_dict(cls, metrics):
        """A result without artifacts."""
        return cls(metrics)

    def to_dict(self):
        """The metrics alone."""
        return self.metrics

    def has_artifacts(self):
        """Whether there is any artifact."""
        return bool(self.artifacts)

    def get_artifact_keys(self):
        """The artifacts' names."""
        return list(self.artifacts)

    def get_artifact_size(self, key):
        """Bytes of one artifact as text; 0 if there is none of this name."""
        if key not in self.artifacts:
            return 0
        value = self.artifacts[key]
        return len(value if isinstance(value, bytes) else str(value).encode("utf-8"))

    def get_total_artifact_size(self):
        """Bytes of all artifacts as text."""
        return sum(map(self.get_artifact_size, self.artifacts))
