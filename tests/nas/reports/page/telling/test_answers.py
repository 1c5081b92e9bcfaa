"""Headline and answers: what was reached, missed or is open; and nothing is claimed that the prompts do not show."""

from dataclasses import replace

from nas.reports.page.telling.answers import answers
from nas.reports.page.telling.headline import headline, standfirst
from nas.reports.page.values import BlockStory, Decision, Estimate, Numbers, Scored, ScoreLabel

CLIP = ScoreLabel()
NUMBERS = Numbers(
    base_latency_ms=40.0,
    target_latency_ms=33.0,
    latency_ms=32.0,
    base_score=Estimate(mean=0.931, low=0.92, high=0.94),
    score=Estimate(mean=0.921, low=0.91, high=0.93),
    difference=Estimate(mean=-0.012, low=-0.02, high=-0.004),
    num_prompts=20,
    num_blocks=38,
    num_gone=9,
    target_met=True,
)


def scored(action: str, mean: float, *, half: float = 0.001, rank: int = 1) -> Scored:
    loss = Estimate(mean=mean, low=mean - half, high=mean + half)
    return Scored(
        round=0, action=action, loss=loss, saved_ms=2.0, value=mean / 2, num_prompts=4, rank=rank, num_ranked=3
    )


def test_the_headline_states_the_result_in_words() -> None:
    told = headline(NUMBERS, state="finished", score=CLIP)
    assert told == "20\xa0% less latency with 9 of 38 blocks gone and 0.0120 CLIP lost"


def test_a_difference_that_may_be_chance_is_called_so() -> None:
    unsure = replace(NUMBERS, difference=Estimate(mean=0.002, low=-0.007, high=0.012), num_copied=1)
    told = headline(unsure, state="finished", score=CLIP)
    assert told.startswith("20\xa0% less latency with 9 of 38 blocks gone, 1 copied and ")
    assert told.endswith(" and no change of CLIP that 20 prompts can show")


def test_where_lower_is_better_a_lower_score_is_gained() -> None:
    told = headline(NUMBERS, state="finished", score=ScoreLabel(name="fid", higher_is_better=False))
    assert told.endswith("0.0120 fid gained")


def test_a_missed_target_comes_first_and_an_open_one_is_no_miss() -> None:
    missed = replace(NUMBERS, latency_ms=38.0, target_met=False)
    assert headline(missed, state="finished", score=CLIP).startswith("Target missed: 5\xa0% less latency")
    still = replace(NUMBERS, latency_ms=38.0, target_met=None)
    assert headline(still, state="running", score=CLIP).startswith("5\xa0% less latency so far")
    assert headline(Numbers(), state="running", score=CLIP) == "Nothing is scored yet"
    assert headline(Numbers(), state="interrupted", score=CLIP) == "Nothing was scored"
    assert standfirst(Numbers(), state="running", score=CLIP, num_rounds=0) == ()


def test_the_standfirst_says_that_scores_are_selection_scores_and_whether_they_differ() -> None:
    latency, scores = standfirst(NUMBERS, state="finished", score=CLIP, num_rounds=3)
    assert "32.0\xa0ms instead of 40.0\xa0ms, within the target of 33.0\xa0ms" in latency
    assert scores == (
        "CLIP selection score 0.931 → 0.921; paired difference −0.0120 [−0.0200, −0.0040] over 20 prompts: "
        "the prompts tell the two apart."
    )
    _, lost = standfirst(replace(NUMBERS, difference=None), state="finished", score=CLIP, num_rounds=3)
    assert "the paired difference is not known" in lost


def block(name: str, label: str, mean: float, *, half: float = 0.001, count: int = 1) -> BlockStory:
    return BlockStory(
        name=name,
        label=label,
        kind="resnet",
        stage="mid",
        position=0,
        num_base=1,
        counts=(1, count),
        scored=(scored(f"-{name}", mean, half=half),),
    )


def test_readers_questions_are_answered_from_the_run() -> None:
    blocks = (
        block("resnet[mid,0]", "Mid ResNet 1", 0.001, count=0),
        block("resnet[mid,1]", "Mid ResNet 2", 0.050, half=0.045),
        block("resnet[up.0,0]", "Up-1 ResNet 1", 0.010),
    )
    evaluations = tuple(each for story in blocks for each in story.scored)
    decision = Decision(
        round=0,
        order=1,
        action="-resnet[mid,0]",
        loss=evaluations[0].loss,
        saved_ms=2.0,
        value=0.0005,
        runner_up="-resnet[up.0,0]",
        chance=0.97,
    )
    told = answers(
        numbers=NUMBERS, blocks=blocks, decisions=(decision,), evaluations=evaluations, rounds=(), score=CLIP
    )
    most, first, sure = told
    assert (most.short, most.block) == ("Mid ResNet 2", "resnet[mid,1]")
    assert "overlaps those of 1 other block, Up-1 ResNet 1" in most.words
    assert "2 blocks of 3 surely cost something" in most.words  # the third one's interval begins at 0
    assert first.short == "Mid ResNet 1"
    assert "the cheapest of 3 scored actions" in first.words
    assert sure.short == "1 of 1 decisions surer than 90\xa0%"
    assert "(remove Up-1 ResNet 1) with probability 97\xa0%" in sure.words


def test_what_a_cheap_score_said_of_what_went_first_is_told_where_no_other_was_taken() -> None:
    said = Estimate(mean=-0.0185, low=-0.0392, high=0.0022)
    decision = Decision(
        round=0,
        order=1,
        action="-resnet[mid,0]",
        saved_ms=1.68,
        screened_by="clip_glimpse",
        change=said,
        unit="cosine lost",
    )
    words = "clip_glimpse said \N{MINUS SIGN}0.018 [\N{MINUS SIGN}0.039, +0.002] cosine lost, and it saves 1.68\xa0ms."
    for change, told in ((said, words), (None, "It was taken without a score of its own.")):
        (first,) = answers(
            numbers=NUMBERS,
            blocks=(),
            decisions=(replace(decision, change=change),),
            evaluations=(),
            rounds=(),
            score=CLIP,
        )
        assert first.words.endswith(told)


def test_a_block_that_came_to_matter_more_is_named_beside_the_one_that_did_at_first() -> None:
    first, late = block("resnet[mid,0]", "Mid ResNet 1", 0.050), block("resnet[mid,1]", "Mid ResNet 2", 0.010, count=2)
    first, late = (
        replace(story, scored=(*story.scored, replace(scored(f"-{story.name}", mean, half=0.001), round=4)))
        for story, mean in ((first, 0.020), (late, 0.100))
    )
    most, *_ = answers(numbers=NUMBERS, blocks=(first, late), decisions=(), evaluations=(), rounds=(), score=CLIP)
    assert most.short == "Mid ResNet 1"
    assert "In round 4, which scored it last, it is 0.0200" in most.words
    told = "Of what was left in round 4, Mid ResNet 2 mattered most: 0.1000 [0.0990, 0.1010]; the search copied it."
    assert most.words.endswith(told)
    steady = replace(late, scored=late.scored[:1])
    most, *_ = answers(numbers=NUMBERS, blocks=(first, steady), decisions=(), evaluations=(), rounds=(), score=CLIP)
    assert "Of what was left" not in most.words, "it is the same block"


def test_what_the_run_does_not_know_is_not_answered() -> None:
    assert answers(numbers=Numbers(), blocks=(), decisions=(), evaluations=(), rounds=(), score=CLIP) == ()
