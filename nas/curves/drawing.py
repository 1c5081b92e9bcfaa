"""Draws what a plan asks for and the store does not hold, chunk by chunk: what was killed goes on at the next one."""

from typing import Any, Final

from nas.curves.plan import Plan
from nas.curves.real import Crew
from nas.curves.standing import Listener, Standing
from nas.curves.store import EvaluationStore
from nas.curves.worker import DrawingTask, Looked

_AHEAD: Final = 256  # tasks that are given out together


def draw_missing(plan: Plan, /, *, pool: Crew, store: EvaluationStore, say: Listener, featured: bool) -> None:
    """Draw, until the store holds scores and features of all that is asked for.

    Args:
        plan: What is asked for.
        pool: Who draws.
        store: What there is.
        say: Hears where it stands.
        featured: Whether features are needed.
    """
    passes = {
        (model, protocol): plan.passes(model, protocol)
        for model in range(len(plan.names))
        for protocol in plan.protocols
    }
    every = [
        DrawingTask(model=model, protocol=protocol, chunk=chunk)
        for model in range(len(plan.names))  # outermost: a worker holds one at a time
        for protocol in plan.protocols
        for chunk in range(plan.prompts.num_chunks)
    ]

    def cost(task: DrawingTask) -> int:
        return passes[task.model, task.protocol] * len(plan.prompts.chunk(task.chunk))

    tasks = [wanted for task in every if (wanted := _wanted(plan, store, task, featured=featured)) is not None]
    total = sum(map(cost, every))
    done = stored = total - sum(map(cost, tasks))
    say(Standing(phase="drawing", done=done, total=total, stored=stored))
    for start in range(0, len(tasks), _AHEAD):
        for looked in pool.evaluate(tasks[start : start + _AHEAD]):
            _keep(plan, store, looked)
            assert isinstance(looked.task, DrawingTask)
            done += cost(looked.task)
            protocol, model = looked.task.protocol, plan.names[looked.task.model]
            what = f"{model}, {protocol.scheduler} {protocol.num_steps}, guidance {protocol.guidance_scale:g}"
            say(Standing(phase="drawing", done=done, total=total, stored=stored, what=what))


def _wanted(plan: Plan, store: EvaluationStore, task: DrawingTask, *, featured: bool) -> DrawingTask | None:
    """What has still to be seen of a task; None = nothing."""
    scored = store.get(plan.score_key(task)) is None
    featured = featured and store.get(plan.feature_key(task)) is None
    if not (scored or featured):
        return None
    return DrawingTask(model=task.model, protocol=task.protocol, chunk=task.chunk, scored=scored, featured=featured)


def _keep(plan: Plan, store: EvaluationStore, looked: Looked) -> None:
    task = looked.task
    assert isinstance(task, DrawingTask)
    prompts = plan.prompts.chunk(task.chunk)
    rows: dict[str, list[Any]] = {
        "prompt_id": [prompt.prompt_id for prompt in prompts],
        "caption": [prompt.caption for prompt in prompts],
        "noise_seed": [prompt.noise_seed for prompt in prompts],
    }
    if looked.scores is not None:
        store.put(plan.score_key(task), looked.scores, rows=rows)
    if looked.features is not None:
        store.put(plan.feature_key(task), looked.features, rows=rows)
