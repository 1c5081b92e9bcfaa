"""Who scores by whatever yardstick a step names."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nas.algorithms.steps import PromptSet
from nas.config.digests import protocol_key
from nas.evaluation.door import Declaration, Reference
from nas.scores.store import ScoreStore
from nas.search.scoring.scorer import Scorer
from nas.workers.pool import WorkerPool
from nas.workers.worker import WorkerSpec, Yardstick
from search_spaces.files.digests import digest_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorers:
    """Who scores by whatever yardstick a step names, all into one store.

    Attributes:
        pool: Who generates.
        store: What has been generated.
        worker: What each worker loads.
        digests: Of all that results depend on; `protocol` and those that `protocol_key` names.
        others: What the scores beside the run's own say of themselves, by name.
        made_by: What the workers are expected to be (`nas.workers.maker`), which their first answer shows.
    """

    pool: WorkerPool
    store: ScoreStore
    worker: WorkerSpec
    digests: Mapping[str, str]
    others: Mapping[str, Declaration] = field(default_factory=dict)
    made_by: str | None = None

    def by(self, yardstick: Yardstick, /) -> Scorer:
        """The scorer of a yardstick.

        Raises:
            UserError: The run does not serve that score, or has no such prompts.
        """
        prompts, spec = self.worker.prompts(yardstick.prompts), self.worker.score_of(yardstick.by)
        if spec is self.worker.score:
            yardstick = replace(yardstick, by="")
        num = yardstick.num_prompts
        if num is not None and not yardstick.by:  # in whole chunks, which steps that ask for more share
            num, yardstick = -(-num // prompts.chunk_size) * prompts.chunk_size, replace(yardstick, num_prompts=None)
        elif num is not None and num >= len(prompts.prompts):
            yardstick = replace(yardstick, num_prompts=None)
        protocol = self.digests[protocol_key(yardstick.by)]
        if yardstick.prompts is PromptSet.HELD_OUT:  # apart: who reads scores must not pair them with the others
            protocol = digest_of({"protocol": protocol, "prompts": str(PromptSet.HELD_OUT)})
        return Scorer(
            self.pool,
            store=self.store,
            prompts=prompts if num is None else prompts.first(num),
            protocol_digest=protocol,
            score_name=spec.name,
            yardstick=yardstick,
            refers=yardstick.by in self.others and self.others[yardstick.by].reference is Reference.ROUND,
            made_by=self.made_by,
        )
