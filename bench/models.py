"""How many parameters of real models get their framework's law from build, keyed and record? What does record take?

From a clone, beside the extra ``models``:

    PYTHONPATH=tests python bench/models.py                  # the models of tests/torch_models.py: minutes
    PYTHONPATH=tests python bench/models.py --architectures  # each of transformers and timm, on meta: half an hour
    PYTHONPATH=tests python bench/models.py --large          # the folded record of a 70 B Llama, and its seconds
"""

import argparse
import collections
import sys
import time
import warnings

import torch

import torch_models
from numbainit.torch import build, keyed, record
from numbainit.torch.names import named_tensors
from torch_models import agreement, installed, torchs, values


def small_models():
    """A row a model: its tensors, and how many of them have torch's law by each way."""
    print(f"{'model':26} {'tensors':>7} {'build':>7} {'keyed':>11} {'record':>7}  not made to the bit by the recipe")
    sums = collections.Counter()
    for name, (make, code) in torch_models.MODELS.items():
        row, computed = _row(make, code)
        sums.update(row)
        print(f"{name:26} {_cells(row)}  {', '.join(computed)}", flush=True)
    print(f"{'all':26} {_cells(sums)}")


def _cells(row):
    initialized = f"{row['keyed']}/{row['initialized']}" if row["initialized"] else "-"
    return f"{row['tensors']:7} {row['build']:7} {initialized:>11} {row['record']:7}"


def _row(make, code):
    theirs = torchs(make)
    ours = values(build(make, 0))
    row = collections.Counter(tensors=len(ours), build=_agreeing(ours, theirs))
    recipe, model = record(make), make()
    got = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    recipe.apply(got, 0, ignore=recipe.names("computed", "untouched"))
    sayable = recipe.names("drawn", "constant")
    made = {name: one.double().numpy() for name, one in got.items() if recipe.ties.get(name, name) in sayable}
    row["record"] = _agreeing(made, theirs)
    problems = {name: agreement(value, [other[name] for other in theirs]) for name, value in made.items()}
    if code:
        theirs, model = torchs(make, code), make()
        with keyed(model, 0) as context:
            code(model)
        written = context.report.names("drawn", "constant", "copied", "lost")
        named = {one.name: one.tensor for one in named_tensors(model)}
        inside = {name: named[name].detach().double().numpy() for name in written if name in theirs[0]}
        row.update(initialized=len(inside), keyed=_agreeing(inside, theirs))
    not_exact = [f"{name} ({problem})" for name, problem in problems.items() if problem]
    return row, not_exact + [name for name in recipe.names("computed") if name in ours]


def _agreeing(ours, theirs):
    return sum(not agreement(value, [other[name] for other in theirs]) for name, value in ours.items())


def architectures(most):
    """Each architecture of transformers in its default size, and each family of timm: whether record takes it."""
    statuses, reasons, failed, taken = collections.Counter(), collections.Counter(), [], collections.Counter()
    for label, make in (*_of_transformers(), *_of_timm()):
        start = time.perf_counter()
        try:
            recipe = record(make)
        except Exception as error:  # whatever a model's code raises, with numbainit or without
            try:
                with torch.device("meta"):
                    make()
            except Exception:
                continue  # it wants another library, or arguments
            failed.append(f"{label}: {type(error).__name__}: {str(error)[:150]}")
            continue
        taken["timm" if label.startswith("timm ") else "transformers"] += 1
        kinds = {True: "parameter", False: "buffer"}
        statuses.update(f"{weight.status} {kinds[weight.is_parameter]}" for weight in recipe.values())
        computed = [weight for weight in recipe.values() if weight.status == "computed"]
        reasons.update((kinds[weight.is_parameter], weight.label, label) for weight in computed)
        print(f"{label:40} {recipe!r}, {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    print(f"{dict(taken)} architectures recorded, {len(failed)} not:", *failed, sep="\n  ")
    for status, count in statuses.most_common():
        print(f"{count:8} {status}")
    for kind in ("parameter", "buffer"):
        counts = collections.Counter()
        of = {}
        for (own, reason, label), count in reasons.items():
            if own == kind:
                counts[reason] += count
                of.setdefault(reason, label)
        print(f"{kind}s that are computed:")
        for reason, count in counts.most_common(most):
            print(f"{count:8} {reason} (as in {of[reason]})")


def _of_transformers():
    library = installed("transformers")
    for config in sorted(library.MODEL_MAPPING, key=lambda one: one.__name__):
        yield config.__name__.removesuffix("Config"), lambda config=config: library.AutoModel.from_config(config())


def _of_timm():
    library = installed("timm")
    families = {}
    for name in library.list_models():
        families.setdefault(name.partition("_")[0].rstrip("0123456789"), name)
    for name in families.values():
        yield f"timm {name}", lambda name=name: library.create_model(name, pretrained=False)


def large():
    """A Llama of 70 B parameters."""
    library = installed("transformers")
    config = library.LlamaConfig(
        hidden_size=8192,
        num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8,
        intermediate_size=28672,
        vocab_size=128256,
    )

    def make():
        return library.LlamaForCausalLM(config)

    with torch.device("meta"):
        make()
        start = time.perf_counter()
        make()
    beside = time.perf_counter() - start
    record(make)
    start = time.perf_counter()
    recipe = record(make)
    print(f"{recipe}\n{recipe!r} in {time.perf_counter() - start:.2f} s, beside {beside:.2f} s on meta alone")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--architectures", action="store_true")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--most", type=int, default=40, help="reasons that are shown")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.architectures:
        architectures(options.most)
    elif options.large:
        large()
    else:
        small_models()


if __name__ == "__main__":
    main()
