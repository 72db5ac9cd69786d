"""Reproductions: interrupted ones resume, and pages say what was measured."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import scg
from scg.command import main as cli
from scg.errors import DataError
from scg.reproduce import (
    PAPERS,
    Conditions,
    anbn,
    arms,
    artbp,
    autoencoders,
    boltzmann,
    boltzmann_deep,
    brackets,
    carms,
    chorales,
    compute,
    concrete,
    densities,
    exponential_family,
    gated,
    index,
    jang,
    nvil,
    nvil_classes,
    rsvi,
    tokui,
    tokui_training,
    training,
    unbiased,
    write,
)  # fmt: skip
from scg.reproduce.budget import HOURS, Budget
from scg.reproduce.ledger import Ledger
from scg.reproduce.muprop import STRUCTURED, TABLE2, TWO
from scg.reproduce.paper import SEEDS
from scg.reproduce.standings import Standings

TASK = replace(
    STRUCTURED,
    models={TWO: STRUCTURED.models[TWO]},  # of images of 4×4 it keeps the hidden layers alone
    estimators={name: STRUCTURED.estimators[name] for name in ("ST", "MuProp-C")},
    measured={name: STRUCTURED.measured[name] for name in ("LR-C-IDB", "MuProp-C")},
    images=("thresholded",),
    test_samples=3,
)
PAPER = replace(TABLE2, pieces=TASK.pieces, predict=TASK.predict, lengths=(2, 4, 10**9))


def write_idx(path, images):
    header = bytes([0, 0, 8, 3]) + np.array(images.shape, ">u4").tobytes()
    path.write_bytes(header + images.tobytes())


def quiet(text):
    pass


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A short reproduction of two estimators."""
    folder = tmp_path_factory.mktemp("papers")
    rng = np.random.default_rng(0)
    pixels = np.where(rng.random((50_200, 4, 4)) < 0.4, 255, 0).astype(np.uint8)
    write_idx(folder / "train-images-idx3-ubyte", pixels)
    write_idx(folder / "t10k-images-idx3-ubyte", pixels[:40])
    under = Conditions(f"mnist:{folder}", folder / "runs", backend="numpy")
    compute(PAPER, under, 100, quiet)
    return under, folder / "runs" / "muprop.jsonl"


def figures(file):
    """The records without what depends on the clock."""
    timed = ("cell_seconds", "cell_cpu", "ms_per_update", "ms", "curve")
    lines = file.read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in timed} for line in lines]


def test_the_largest_length_that_fits_is_chosen(done):
    (chosen,) = Ledger(done[1]).find(kind="length")
    assert chosen["updates"] == 4
    assert 0 < chosen["predicted"]["2"] <= chosen["predicted"]["4"] < 6000 < 1e6
    assert chosen["predicted"]["1000000000"] > 6000


def test_each_rival_chose_a_rate_and_ran_three_seeds(done):
    ledger = Ledger(done[1])
    for name in TASK.estimators:
        first = ledger.find(kind="run", estimator=name, seed=SEEDS[0])
        tests = ledger.find(kind="test", estimator=name)
        assert [r["rate"] for r in first] == list(TASK._rates(TWO, name)[1])
        assert [r["seed"] for r in tests] == list(SEEDS)
        assert {r["rate"] for r in tests} == {min(first, key=lambda r: r["valid"])["rate"]}
        assert all(r["test_images"] == 10 and r["images"] == "thresholded" for r in tests)
    for seed in SEEDS:
        found = ledger.find(kind="variance", seed=seed)
        variance = {r["estimator"]: r["variance"] for r in found}
        assert variance["LR-C-IDB"] > variance["MuProp-C"] > 0


def test_what_is_there_is_not_done_again_and_a_cut_line_is(done):
    under, file = done
    text, before = file.read_text(), figures(file)
    compute(PAPER, under, 100, quiet)
    assert file.read_text() == text
    file.write_text(text[:-30])
    compute(PAPER, under, 100, quiet)
    assert figures(file) == before
    file.write_text(text)


def test_out_of_time_nothing_begins(done, tmp_path):
    said = []
    under = Conditions(done[0].data, tmp_path, updates=4)
    compute(PAPER, under, 1e-9, said.append)
    (record,) = Ledger(tmp_path / "muprop.jsonl").records
    assert record["kind"] == "machine"
    assert said == ["21 pieces of work are left; the same command computes them"]


def test_parameters_that_are_gone_are_made_again(done, tmp_path):
    lines = done[1].read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["kind"] != "test"]
    (tmp_path / "muprop.jsonl").write_text("".join(kept))
    said = []
    compute(PAPER, replace(done[0], folder=tmp_path), 100, said.append)
    assert figures(tmp_path / "muprop.jsonl")[-6:] == [
        r for r in figures(done[1]) if r["kind"] == "test"
    ]
    assert sum("repeated" in line for line in said) == 6
    assert not any("not the recorded ones" in line for line in said)


def test_parameters_that_are_others_than_the_recorded_ones_are_reported(done, tmp_path):
    records = [json.loads(line) for line in done[1].read_text().splitlines()]
    kept = [dict(r, valid=r["valid"] + 1) if r["kind"] == "run" else r for r in records]
    kept.remove(next(r for r in kept if r["kind"] == "test"))
    (tmp_path / "muprop.jsonl").write_text("".join(json.dumps(r) + "\n" for r in kept))
    said = []
    compute(PAPER, replace(done[0], folder=tmp_path), 100, said.append)
    assert sum("not the recorded ones" in line for line in said) == 1


@pytest.mark.parametrize("line", ['{"kind": "toy", broken', "[]", '{"seed": 1}', "\ufffd"])
def test_a_damaged_ledger_names_the_line(line, tmp_path):
    file = tmp_path / "arms.jsonl"
    file.write_bytes(b'{"kind": "machine"}\n' + line.encode("utf-16") + b"\n")
    with pytest.raises(DataError, match="line 2"):
        Ledger(file)
    file.write_text('{"kind": "machine"}\n' + line + "\n")
    with pytest.raises(DataError, match=r"arms\.jsonl, line 2"):
        Ledger(file)


@pytest.mark.parametrize("paper", [p for p in PAPERS.values() if p.data], ids=lambda p: p.name)
def test_a_wrong_address_is_found_before_anything_is_computed(paper, tmp_path):
    with pytest.raises(DataError):
        compute(paper, Conditions("digits", tmp_path, 5), 10, quiet)
    assert {r["kind"] for r in Ledger(tmp_path / f"{paper.name}.jsonl").records} == {"machine"}


def test_the_page_shows_the_figures(done):
    under, file = done
    page = write(PAPER, under.folder).read_text()
    now = Standings(TASK, Ledger(file).records)
    updates, (values,) = now.figures("thresholded", (TWO, "ST"))
    assert updates == 4 and len(values) == 3
    assert f"| ST | {np.mean(values):.1f} ± " in page and "| 56.1 |" in page
    assert "LR-C-IDB has a higher variance than MuProp-C: **holds**" in page
    assert "1/2 ends above ST for all seeds: **not measured**" in page
    assert " --updates 4 --out docs/results --minutes 60\n" in page  # without it: another length
    assert "| test | 4 | 6 of 6 |" in page and "| 1 | 1 | 1 | 2 | 3.2 |" in page
    assert (under.folder / "muprop.svg").read_text().lstrip().startswith("<?xml")
    listed = index([PAPER, PAPERS["arms"]], under.folder).read_text()
    assert "(muprop.md)" in listed and "(arms.md)" not in listed
    assert "not begun: `arms`." in listed
    counts = [f.holds for f in PAPER.findings(Ledger(done[1]).records) if f.holds is not None]
    assert f"Of {len(counts)} expectations on 1 pages {sum(counts)} are met" in listed


def test_what_is_left_out_is_listed_in_few_lines(done, tmp_path):
    lines = done[1].read_text().splitlines(keepends=True)
    kept = [line for line in lines if not all(w in line for w in ('"test"', '"seed": 3'))]
    (tmp_path / "muprop.jsonl").write_text("".join(kept))
    line = f"- test · images thresholded · model {TWO} · estimator ST, MuProp-C · seed 3\n"
    assert line in write(PAPER, tmp_path).read_text()
    assert f"  {line}" in index([PAPER], tmp_path).read_text()


def test_times_are_those_of_the_processor_where_it_was_measured(done, tmp_path):
    records = [json.loads(line) for line in done[1].read_text().splitlines()]
    for record in records:
        if record["kind"] == "test":  # as in the first records
            del record["cell_seconds"], record["cell_cpu"]
        if record["kind"] == "variance":  # an older and a newer one
            record.update(cell_seconds=9.0, cell_cpu=1.0)
            if record["estimator"] == "LR-C-IDB":
                del record["cell_cpu"]
    (tmp_path / "muprop.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in records))
    page = write(PAPER, tmp_path).read_text()
    assert "| test | 4 | 6 of 6 | – | – | – |" in page and "| variance | 4 | 6 of 6 | 1 |" in page


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_no_page_takes_more_hours_than_it_may(paper):
    file = Path(__file__).parents[2] / "docs/results" / f"{paper.name}.jsonl"
    assert sum(row[-2] + row[-1] for row in Budget(paper, Ledger(file)).rows()) < HOURS


def test_an_order_holds_only_for_all_seeds():
    def test(name, value):
        return dict(kind="test", images="sampled", model="m", estimator=name, test=value, updates=1)

    records = [test("a", 3.0), test("a", 4.0), test("b", 1.0), test("b", 2.0)]
    assert Standings(TASK, records).order("sampled", ("m", "a"), ("m", "b")).holds
    records.append(test("b", 3.5))
    assert not Standings(TASK, records).order("sampled", ("m", "a"), ("m", "b")).holds
    assert Standings(TASK, records).order("sampled", ("m", "a"), ("m", "c")).holds is None


def test_speeds_are_compared_by_seed():
    def run(name, seed, *values):
        curve = [[100 * i, 0.5, v] for i, v in enumerate(values, 1)]
        key = dict(images="sampled", model="m", estimator=name, rate=1, seed=seed, updates=300)
        best = dict(valid=min(values), best_at=100 * (1 + values.index(min(values))))
        return [dict(kind="run", curve=curve, **key, **best), dict(kind="test", test=1.0, **key)]

    records = [*run("slow", 2, 9.0, 8.0, 7.0), *run("fast", 1, 9.0, 9.0, 9.0)]
    now = Standings(TASK, records)
    assert now.faster("sampled", "m", "fast", "slow", 3.0).holds is None
    records += run("fast", 2, 7.0, 6.0, 5.0)
    assert now.faster("sampled", "m", "fast", "slow", 3.0).holds
    records += run("slow", 1, 9.0, 8.0, 8.5)
    last = now.faster("sampled", "m", "fast", "slow", 3.0)
    assert last.holds is False and "Ratios 3, 0 after 300 updates" in last.found


def test_the_command_writes_the_page_and_refuses_unknown_papers(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["reproduce", "arms", "--minutes", "0", "--out", str(tmp_path)])
    assert left.value.code == 0 and "arms.md" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        cli.main(["reproduce", "einstein1905"])
    assert left.value.code == 2 and "muprop" in capsys.readouterr().err
    with pytest.raises(SystemExit) as left:
        cli.main(["reproduce", "arms", "--minutes", "-1", "--out", str(tmp_path)])
    assert left.value.code == 2


def test_images_without_a_part_for_validation(tmp_path):
    with pytest.raises(DataError, match="mnist:DIR"):
        compute(PAPER, Conditions("digits", tmp_path, updates=2), 1, quiet)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_pages_of_papers_that_were_not_run(paper, tmp_path):
    assert all(finding.holds is None for finding in paper.findings([]))
    text = write(paper, tmp_path).read_text()
    assert text.startswith(f"# {paper.title}\n") and f"scg reproduce {paper.name} " in text
    assert "**Result.**" not in text and len(paper.verdict) <= 90  # two lines of the index
    keys = [
        piece.key for piece in paper.pieces(Conditions("", tmp_path, 5), Ledger(tmp_path / "x"))
    ]
    assert keys and all("kind" in key for key in keys)


@pytest.mark.parametrize("paper", PAPERS.values(), ids=PAPERS)
def test_pages_of_unfinished_ledgers(paper):
    file = Path(__file__).parents[2] / "docs/results" / f"{paper.name}.jsonl"
    records = Ledger(file).records if file.exists() else []
    for count in (1, 2, len(records) // 2):
        paper.draw(records[:count])  # warnings are errors
        assert paper.tables(records[:count]) is not None
        assert paper.findings(records[:count])


def test_pages_compare_figures_of_one_seed_in_whatever_order_they_were_measured(tmp_path):
    file = Path(__file__).parents[2] / "docs/results/carms.jsonl"
    lines, again = file.read_text().splitlines(), '"estimator": "CARMS-I"'
    moved = sorted(lines, key=lambda line: again in line and '"seed": 1' in line)
    found = []
    for name, text in (("one", lines), ("two", moved)):
        (tmp_path / name).write_text("\n".join(text) + "\n")
        found.append(PAPERS["carms"].findings(Ledger(tmp_path / name).by_seed))
    assert len(found[0]) == 40 and found[0] == found[1]


def test_the_toy_of_arms_has_the_closed_form(tmp_path):
    paper = replace(
        PAPERS["arms"],
        pieces=lambda *given: (p for p in arms.pieces(*given) if p.key.get("evaluations") == 2),
    )
    records = compute(paper, Conditions("", tmp_path), 1, quiet).records
    p, gap = np.array(arms.PROBS), 0.51**2 - 0.49**2
    (loo,) = (r for r in records if r.get("estimator") == "leave-one-out")
    assert loo["variance"] == pytest.approx(gap**2 * p * (1 - p) * (0.5 - p * (1 - p)), rel=1e-9)
    assert all(r["bias"] < 1e-12 for r in records if r["kind"] == "toy")
    by_text = {f.expectation: f.holds for f in arms.findings(records)}
    assert by_text["ARMS with two samples is DisARM"] is True


def test_the_closed_form_of_the_dirichlet_posterior():
    exact = rsvi.posterior(1)
    g, slope = rsvi.task(exact, 2.0)
    out = scg.compile(g, rsvi.ESTIMATORS["implicit"])(g.init(0), seed=1, runs=2000)
    assert abs(out.grads["a"] - slope) < 5 * out.stderr["a"] < 0.1 * abs(slope)
    assert rsvi.task(exact, float(exact[0]))[1] == 0.0


def test_the_bound_of_a_deep_exponential_family(monkeypatch, tmp_path):
    x = np.array([[0.0, 200.0, 3.0], [7.0, 0.0, 90.0]])
    g = exponential_family.declare(x, (2, 1))
    params = g.init(1)
    names = "z1", "z2", "w1", "w2"
    found = {k: v[0] for k, v in g.simulate(params, nodes=["loss", *names], seed=3).items()}
    z1, z2, w1, w2 = (found[name] for name in names)
    log_p = stats.poisson(z1 @ w1).logpmf(x).sum()
    log_p += stats.gamma(0.1, scale=(z2 @ w2) / 0.1).logpdf(z1).sum()
    log_p += stats.gamma(0.1, scale=1 / 0.1).logpdf(z2).sum()
    log_p += sum(stats.gamma(0.1, scale=1 / 0.3).logpdf(w).sum() for w in (w1, w2))
    shapes = [np.logaddexp(0.0, params[f"{name}/shape"]) for name in names]
    shift = exponential_family.SHIFT
    means = [np.logaddexp(0.0, params[f"{name}/mean"] - shift) for name in names]
    entropy = sum(stats.gamma(a, scale=m / a).entropy().sum()
                  for a, m in zip(shapes, means, strict=True))  # fmt: skip
    assert found["loss"] == pytest.approx(-(log_p + entropy), rel=1e-10)

    monkeypatch.setattr(exponential_family, "counts", lambda address: x)
    monkeypatch.setattr(exponential_family, "EVALUATIONS", 12)
    under = Conditions("", tmp_path, backend="numpy")
    curve = exponential_family._train(under, exponential_family.IMPLICIT, 1)["curve"]
    assert len(curve) == 12 and curve[-1][1] > curve[0][1]
    one, least = exponential_family.Damped(0.5), exponential_family.LEAST
    new, slots = one.update(np.array([1.0, least]), np.array([2.0, 9.0]), {}, 0.5, 1)
    assert new.tolist() == pytest.approx([1.0 - 0.5 * 2.0 / (1.0 + 0.4**0.5), least])
    assert slots["square"][0] == pytest.approx(0.4)


def test_a_constant_in_the_cost_matters_to_local_expectations_alone():
    low, _, high = tokui._shifted("LEG")["variance"]
    assert high > 1000 * low
    assert np.ptp(tokui._shifted("RAM")["variance"]) < 1e-9


def test_a_machine_above_two_layers_is_trained_in_stages(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    pictures = (rng.random((80, 9)) < np.where(rng.random((80, 1)) < 0.5, 0.1, 0.9)).astype(float)
    monkeypatch.setattr(boltzmann_deep, "data", lambda address: (pictures[:60], pictures[60:]))
    sizes = dict(TRAINED=60, BATCH=20, FIRST=6, SECOND=3, MACHINE=3, POINTS=3, TOP=4, HIDDEN=2)
    for name, size in sizes.items():
        monkeypatch.setattr(boltzmann_deep, name, size)
    under = Conditions("", tmp_path, backend="numpy")
    record = boltzmann_deep._train(under, boltzmann_deep.EXACT, 1)
    assert [updates for updates, *_ in record["curve"]] == [2, 4, 6, 9, 10, 11, 12]
    assert 0 < record["test"] < 9


def test_the_times_of_gradients(done):
    chosen = {"one": scg.ScoreFunction(), "many": scg.LeaveOneOut(300)}
    found = training.times(arms.toy(0.3), chosen, {}, done[0], runs=50)
    assert 0 < found["ms"]["one"] < found["ms"]["many"]


def test_the_effort_of_a_gradient():
    graph = scg.models.sbn(np.full(16, 0.5), hidden=(3, 4))
    (one, few), (two, _), (many, more) = (
        training.effort(graph, tokui.ESTIMATORS[name]) for name in ("LR", "MuProp-C-IDB", "RAM")
    )
    assert (one, two, many) == (1, 2, 15) and 1 < few < more


def test_the_optimal_baseline_is_best():
    found = {name: unbiased._variance(1, 3.0, name) for name in unbiased.NAMES[:3]}
    assert all(record["bias"] < 1e-12 for record in found.values())
    none, mean, best = (record["variance"] for record in found.values())
    assert best < mean < 0.2 * none


def test_windows_of_a_settled_state(tmp_path):
    pieces = artbp.pieces(Conditions("", tmp_path, backend="numpy"), Ledger(tmp_path / "x"))
    found = {p.key["window"]: p.work()["mean"] for p in pieces
             if p.key["kind"] == "window" and p.key["size"] == 23}  # fmt: skip
    assert found[1] == pytest.approx(-4.0) and found[100] < 0 < found[200]
    # The influence on the first unit is +1 within the step, and -6 in the long run, where s₀ = -3.
    steps = artbp.task(23, 300), artbp.task(23, 301)
    long, longer = (scg.compile(g)({"theta": 0.5}, seed=0).grads["theta"] for g in steps)
    assert longer - long == pytest.approx(-6.0 * (-3.0 - 1.0))


def test_rectified_units_have_the_closed_form(tmp_path):
    g, slope, _ = unbiased.rectified(1, -1.0)
    out = scg.compile(g)(g.init(0), seed=1, runs=4000)
    assert np.abs((out.grads["a"] - slope) / out.stderr["a"]).max() < 5


def test_short_windows_have_the_wrong_sign(tmp_path):
    under = Conditions("", tmp_path, backend="numpy")
    exact, short, longer = (
        artbp._gradient(under, 13, f"{name}", 1)["mean"]
        for name in ("exact", "Truncated(10)", "Truncated(100)")
    )
    assert short < 0 < longer < exact


def test_lines_are_learned_online(tmp_path):
    under = Conditions("", tmp_path, backend="numpy")
    now, then = anbn.lines((0, 0), 2000).values()
    assert (now[1:].argmax(axis=-1) == then[:-1]).all() and set(then) == {0, 1, 2}
    runs = [anbn._run(under, name, 1, 192) for name in anbn.WAYS if "16" in name]
    assert all(0.5 < r["test"] < 2 and r["curve"][-1][0] == 192 for r in runs)
    assert anbn.ENTROPY == pytest.approx(np.log2(32) / 34, abs=5e-5)  # a line has 34 in the mean
    odds = np.array([1, 15.5]) / 16.5  # another symbol follows one of 16.5 a, and of 16.5 b
    assert anbn.MARKOV == pytest.approx(-33 / 34 * np.sum(odds * np.log2(odds)), abs=5e-5)


def test_brackets_have_the_entropy_of_their_lines(tmp_path):
    preset = brackets.Brackets(1, 0, 2, letters=2, symbols=192)
    lines = {
        (0, s, 1, *others, 0, s, 1, 2): 1 / (2 * 3 * 2**k)
        for k in range(3) for s in (3, 4) for others in itertools.product((3, 4), repeat=k)
    }  # fmt: skip
    now, then = preset.lines((0, 0), 3000).values()
    assert (now[1:].argmax(axis=-1) == then[:-1]).all()
    ends = np.flatnonzero(then == 2)
    found = {tuple(line) for line in np.split(then, ends + 1)[1:-1]}
    assert found == set(lines)
    p, length = np.array(list(lines.values())), sum(p * len(line) for line, p in lines.items())
    assert p.sum() == pytest.approx(1.0) and preset.length == pytest.approx(length)
    assert preset.floor == pytest.approx(-np.sum(p * np.log2(p)) / length)
    assert preset.forgetful == pytest.approx(preset.floor + 1 / length)  # one bit a line
    record = brackets._run(
        Conditions("", tmp_path, backend="numpy"), preset, "UORO, windows of 16", 1
    )
    assert preset.floor < record["test"] < 3 and record["curve"][-1][0] == 192


def test_chorales_are_read_and_learned_online(tmp_path):
    songs = [[[60, 72], [60, -1], [64, 21]], [[108, 72], [60, 71]]]
    file = tmp_path / "songs.json"
    file.write_text(json.dumps(dict.fromkeys(("train", "valid", "test"), songs)))
    parts = chorales.read(str(file))
    now, then, begins = parts["train"].values()
    assert begins.tolist() == [1, 0, 0, 1, 0]
    assert np.flatnonzero(then[1]).tolist() == [39] and np.flatnonzero(now[2]).tolist() == [39]
    assert then.sum(axis=1).tolist() == [2, 1, 2, 2, 2] and not now[[0, 3]].any()
    under = Conditions(str(file), tmp_path, backend="numpy")
    for name in ("UORO, windows of 5", "ARTBP(5)"):
        record = chorales._run(under, parts, name, 1e-2, 1, 4)
        costs = [entry[2] for entry in record["curve"]]
        assert record["valid"] == min(costs) < costs[0] and record["test"] == record["valid"]
    with pytest.raises(DataError, match=r"--data jsb-chorales-quarter\.json"):
        chorales.read("digits")


def test_an_exact_variance_of_the_toy_of_carms():
    exact = carms._toy(10, 1, 0, "leave-one-out")
    rng = np.random.default_rng([1, 10, 0])
    probs = rng.dirichlet(np.full(3, 10.0), size=3)
    values = 3.0 * np.arange(3)
    # Leave-one-out on three samples, class by class: 100,000 draws with NumPy alone.
    z = np.stack([rng.choice(3, size=(100_000, 3), p=p) for p in probs], axis=-1)
    cost = values[z].sum(axis=-1)
    signal = 1.5 * (cost - cost.mean(axis=1, keepdims=True))
    scores = np.eye(3)[z] - probs
    drawn = (signal[..., None, None] * scores).mean(axis=1)
    assert drawn.var(axis=0).sum() == pytest.approx(exact, rel=0.03)


def test_a_gated_classifier_is_trained_and_tested(done):
    folder = done[1].parents[1]
    labels = np.arange(50_200) % 10
    for name, count in (("train", len(labels)), ("t10k", 40)):
        header = bytes([0, 0, 8, 1]) + np.array([count], ">u4").tobytes()
        content = header + labels[:count].astype(np.uint8).tobytes()
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(content)
    under = replace(done[0], updates=4)
    parts = training.held_out(under.data)
    for unit in ("noisy rectifier", "sigmoid, no noise"):
        record = gated._train(under, parts, unit, 1)
        assert 50 < record["error"] <= 100 and len(record["curve"]) == 4
        assert (record["closed"] > 0.5) == (unit == "noisy rectifier")


def test_suspects_of_classes_differ_in_one_respect(done, tmp_path):
    shown = [
        p.key
        for p in nvil_classes.CLASSES.pieces(replace(done[0], updates=2), Ledger(tmp_path / "x"))
    ]
    first = [k for k in shown if k["kind"] == "run" and k["seed"] == 1]
    assert len({(k["model"], k["estimator"], k["rate"]) for k in first}) == 2 * (3 + 3)
    assert {k["kind"] for k in shown} == {"run", "test"}
    found = []
    for model in nvil_classes.SUSPECTS.models.values():
        graph = model(np.full(4, 0.5))
        draws = {"x": np.ones((1, 4))}
        found.append(scg.evaluate(graph, graph.init(0), draws, samples=4000, seed=0).elbo)
    assert abs(found[0] - found[1]) < 0.2  # the same bound, in closed form and from samples


def test_suspects_differ_from_the_table_in_one_respect(done, monkeypatch, tmp_path):
    means = np.linspace(0.1, 0.9, 16)
    ours, theirs = nvil.Suspect().graph(means), STRUCTURED.models[nvil.THREE](means)
    params, x = ours.init(1), {"x": np.eye(16)[:3]}
    assert params.keys() == theirs.init(1).keys()
    values = [scg.evaluate(g, params, x, samples=2, seed=1) for g in (ours, theirs)]
    assert values[0] == values[1]
    for name, setting in list(nvil.SUSPECTS.items())[1:]:
        changed = [k for k, v in vars(setting).items() if v != getattr(nvil.Suspect(), k)]
        assert len(changed) == 1, name

    monkeypatch.setattr(nvil, "SHORT", 4)
    wanted = "output biases from 0"
    pieces = [p for p in nvil.pieces(replace(done[0], folder=tmp_path), Ledger(tmp_path / "x"))
              if p.key.get("name", wanted) == wanted]  # fmt: skip
    ignorant, found = (piece.work()["valid"] for piece in pieces[:2])
    assert 0 < ignorant < 8 * np.log(2) and found > ignorant - 0.5


@pytest.mark.parametrize("updates", [1, 3, 1200])
def test_any_number_of_updates_divides_into_passes(done, updates, monkeypatch):
    plans = []
    monkeypatch.setattr(scg, "fit", lambda *_, **how: plans.append(how) or 1 / 0)
    under = replace(done[0], updates=updates)
    x = training.images(under.data, "thresholded")
    with pytest.raises(ZeroDivisionError):
        graph = STRUCTURED.models[TWO](x.means)
        training.train(graph, scg.MuProp(), None, x, 0.1, 1, under, under.folder / "none.npz")
    (plan,) = plans
    assert 1 <= plan["steps_per_epoch"] <= 500 and plan["epochs"] % training.PASSES == 0


def test_rivals_of_a_race_get_equal_evaluations(done):
    under = done[0]
    binary, _ = autoencoders.BINARY
    race = replace(
        binary,
        graph=lambda means: scg.models.bernoulli_vae(means, hidden=3),
        rivals={name: binary.rivals[f"{name}, K = {k}"] for name, k in
                (("ARMS", 2), ("leave-one-out", 4))},
        budget=96,
    )  # fmt: skip
    assert [race.updates(name) * race.rivals[name][1] for name in race.rivals] == [96, 96]
    records = [{**p.work(), **p.key} for p in race.pieces(under, 1)]
    assert [r["curve"][-1][0] for r in records] == [48, 24]
    assert all(0 < r["test"] < 16 and r["ms"] > 0 for r in records)
    records += [{**r, "seed": 2, "test": r["test"] + i} for i, r in enumerate(records)]
    worse, better = (r["rival"] for r in records[:2])
    gap = records[0]["test"] - records[1]["test"]
    found = race.order(records, worse, better)
    assert found.holds == (gap > 1) and f"{gap - 1:.2f} nats" in found.found
    page = race.table(records)
    assert "| ARMS | 2 | 48 | " in page and "(2)" in page
    # In the time of the fastest rival the slow one made 2.4 updates, fewer than its first stretch,
    # after which it was validated for the first time.
    timed = [dict(r, ms=10.0 if r["rival"] == "ARMS" else 1.0) for r in records]
    first, last = (row.split(" | ")[-1] for row in race.table(timed).splitlines()[-2:])
    assert first == "– (first validation after 4 updates) |"
    assert last.startswith(f"{records[1]['curve'][-1][1]:.2f} ")
    # With equal updates, 96 each, 192 evaluations are 96 updates of ARMS and 48 of the other.
    head, _, one, two = replace(race, equal="updates").table(records).splitlines()[-4:]
    assert head.endswith(" | validation after 192 evaluations |")
    for row, run in zip((one, two), records, strict=False):
        assert row.split(" | ")[-1].startswith(f"{run['curve'][-1][1]:.2f} ")
    assert len(autoencoders.race.draw((race,), records).axes) == 2


LETTERS = (
    *autoencoders.LETTERS,
    *autoencoders.CATEGORICAL,
    *autoencoders.LONGER,
    *tokui_training.NETWORKS,
    *densities.RACES,
)


@pytest.mark.parametrize("race", [*autoencoders.BINARY, concrete.CONTEST, *jang.RACES, *LETTERS])
def test_stretches_of_a_race_fit_into_a_pass_over_the_smallest_data(race):
    passes = 23_000 if race in LETTERS else 50_000  # of letters, of digits
    stretch = max(map(race.updates, race.rivals)) / race.points
    assert stretch <= passes / race.batch


def test_a_race_may_be_one_of_equal_updates():
    evaluations = {"LR": 1, "LR-C": 1, "LR-C-IDB": 1, "MuProp-C-IDB": 2, "LEG": 201, "RAM": 201}
    race = tokui_training.NETWORKS[0]
    assert {name: count for name, (_, count) in race.rivals.items()} == evaluations
    assert {race.updates(name) for name in race.rivals} == {2400}
    graph = race.graph(np.full(784, 0.5))
    for name, (estimator, count) in race.rivals.items():
        assert training.effort(graph, estimator)[0] == count, name
    race = jang.RACES[3]
    for name, (estimator, count) in race.rivals.items():
        assert training.effort(race.graph(np.full(784, 0.5)), estimator)[0] == count, name


def test_relaxations_and_vimco_train_with_particles(done):
    names = "Concrete, m = 5", "VIMCO, m = 5"
    race = replace(
        concrete.CONTEST,
        graph=lambda means: scg.models.structured(means, hidden=(3,)),
        rivals={name: concrete.RIVALS[name] for name in names},
        trained={
            name: lambda means: scg.models.structured(
                means, hidden=(3,), particles=concrete.PARTICLES[5]
            )
            for name in names
        },
        budget=120,
        samples=3,
    )
    records = [{**p.work(), **p.key} for p in race.pieces(done[0], 1)]
    assert [r["curve"][-1][0] for r in records] == [24, 24]
    assert records[0]["test"] != records[1]["test"] and all(r["test"] < 8 for r in records)
    assert "3 samples each" in autoencoders.race.tables((race,), records)


def test_rivals_of_the_table_have_rates_of_their_own(done):
    vae, race = scg.models.bernoulli_vae, jang.RACES[2]
    small = replace(
        race,
        graph=lambda means: vae(means, hidden=3),
        rivals={name: race.rivals[name] for name in ("ST Gumbel-softmax", jang.VIMCO)},
        trained={jang.VIMCO: lambda means: vae(means, hidden=3, particles=jang.PARTICLES)},
        optimizers={**race.optimizers, "ST Gumbel-softmax": scg.optim.SGD(1e-9)},
        budget=12,
        samples=3,
    )
    records = [{**p.work(), **p.key} for p in small.pieces(done[0], 1)]
    still, moved = (abs(r["curve"][0][1] - r["curve"][-1][1]) for r in records)
    assert still < 1e-3 and moved > 0.01
    rows = small.table(records).splitlines()[-2:]
    assert " | 111.5 | " in rows[0] and " | – | " in rows[1]
    assert jang.annealed(0) == 1.0 and jang.annealed(1387) == 0.5 < jang.annealed(1386)


@pytest.mark.parametrize("prior", boltzmann.PRIORS)
def test_likelihoods_below_a_prior_sum_to_one_and_it_learns(prior, monkeypatch, tmp_path):
    rng = np.random.default_rng(0)
    g = boltzmann.declare(prior, np.array([0.3, 0.6]))
    params = {name: rng.standard_normal(value.shape) for name, value in g.init(0).items()}
    images = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    total = sum(np.exp(boltzmann.likelihood(params, images[i : i + 1])) for i in range(4))
    assert total == pytest.approx(1.0)
    monkeypatch.setattr(boltzmann, "EPOCHS", 2)
    monkeypatch.setattr(boltzmann, "EVERY", 1)
    under = Conditions("", tmp_path, backend="numpy")
    piece = next(p for p in PAPERS["boltzmann"].pieces(under, None) if p.key["prior"] == prior)
    first, last = piece.work()["curve"]
    assert last[1] < first[1] < 30
