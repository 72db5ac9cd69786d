"""Tokui and Sato (2017): sigmoid belief networks trained with each estimator."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import scg
from scg.models import sbn
from scg.reproduce import race, training
from scg.reproduce.ledger import Record
from scg.reproduce.paper import Finding, Paper
from scg.reproduce.race import Race, chained
from scg.reproduce.tokui import ESTIMATORS, LETTERS, RATE

MODELS = {"50-50-784": (50, 50), "50-50-50-50-784": (50, 50, 50, 50)}
NETWORKS = tuple(
    Race(
        name=model,
        graph=partial(sbn, hidden=hidden),
        # MuProp runs the network once more, the last two for each value of each unit.
        rivals={
            name: (each, {"MuProp-C-IDB": 2, "LEG": flips, "RAM": flips}.get(name, 1))
            for name, each in ESTIMATORS.items()
        },
        budget=2400,
        measure=lambda found: (-found.elbo, found.elbo_stderr),
        equal="updates",
        optimizer=scg.optim.RMSprop(RATE, decay=0.99),
        batch=training.BATCH,
    )
    for model, hidden in MODELS.items()
    for flips in (2 * sum(hidden) + 1,)
)
#: Estimators whose variances are published in this order, the largest first; the local expectation,
#: which has another place here, is compared with the last.
ORDER = ("LR", "LR-C", "LR-C-IDB", "MuProp-C-IDB", "RAM")


def findings(records: list[Record]) -> list[Finding]:
    """Less variance, a lower bound."""
    pairs = [*itertools.pairwise(ORDER), ("LEG", "RAM")]
    return [each.order(records, *pair) for each in NETWORKS for pair in pairs]


_ABOUT = """
Networks of two and four layers of 50 units learn {images} that are binarized anew for each batch of
100, by RMSprop with rate 0.001, with each estimator of the page of variances. Published: layers of
200 units, two million updates, weight decay 0.001, the best of three rates on validation images,
and bounds by 50,000 samples. Here: 2400 updates, one rate, the end of the run. The published
figures are drawn, not printed; we know their order, that of the variances, from memory.{more}
"""

TOKUI_TRAINING = Paper(
    name="tokui_training",
    title="Tokui and Sato (2017): training sigmoid belief networks",
    short="Tokui and Sato, training",
    verdict="At equal updates less variance ends lower; at equal times MuProp is ahead of RAM.",
    about=_ABOUT.format(images="digits", more=""),
    why="""
At equal updates estimators end in the order of their variances, for each seed, and RAM 6 to 7 nats
below MuProp. An update of RAM takes 6 to 10 times as long as one of MuProp: after equal times
MuProp leads. At equal evaluations LR-C-IDB leads, 2 nats below MuProp, which needs two an update;
RAM needs 201 or 401, so that those of a whole run of LR are 12 or 6 updates.
""",
    pieces=chained(NETWORKS),
    findings=findings,
    tables=partial(race.tables, NETWORKS),
    draw=partial(race.draw, NETWORKS),
    data="mnist:DIR",
    read=training.held_out,
)
TOKUI_LETTERS_TRAINING = replace(
    TOKUI_TRAINING,
    name="tokui_letters_training",
    title="Tokui and Sato (2017): training on letters",
    short="Tokui and Sato, letters, training",
    verdict="The same as on digits.",
    about=_ABOUT.format(images="drawings of OMNIGLOT", more=LETTERS),
    why="""
As on digits: at equal updates estimators end in the order of their variances, for each seed, RAM 4
to 5 nats below MuProp. LEG, whose place changes during training, ends between LR and LR-C-IDB.
MuProp leads after equal times and after equal evaluations.
""",
    data="npz:FILE",
)
