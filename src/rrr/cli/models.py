"""Commands about models: `rrr models VERB`. A verdict's exit code says whether it passed."""

import argparse

from .commands import home_of, load
from .options import configured
from .speaking import say, tell

ACCOUNT = (
    ("capital", "AMOUNT", "of the quote currency"),
    ("seed", "N", "where all randomness begins"),
)


def list_models(options: argparse.Namespace) -> int:
    from rrr.wiring import model_list

    found = model_list.listed(home_of(options))
    tell(options, {"models": found}, lambda: model_list.in_words(found))
    return 0


def show(options: argparse.Namespace) -> int:
    """What a model was made of, and what its gate said."""
    from rrr.wiring import model_list

    found = model_list.of_one(home_of(options), options.model)
    tell(options, found, lambda: model_list.one_in_words(found))
    return 0


def gate(options: argparse.Namespace) -> int:
    """Judge a model by the account that the settings say."""
    import sys

    from rrr.wiring.backtest_progress import Progress
    from rrr.wiring.judging import gate as judged

    home, progress = home_of(options), Progress(sys.stderr)
    with progress.shows():
        found = judged(home, load(options, home, past=True), options.model, progress)
    if found.stood:
        say("This verdict stands: nothing that it depends on has changed.\n", sys.stderr)
    told = dict(found.content) | {"pictures": str(found.pictures)}
    tell(options, told, lambda: f"{found.page.rstrip()}\n\nIn pictures: {found.pictures}")
    return found.code


def promote(options: argparse.Namespace) -> int:
    """Let a proven model be obeyed; or any, on paper only."""
    from rrr.wiring import promoting

    home = home_of(options)
    loaded = load(options, home, past=True)
    found = promoting.promote(home, loaded.settings, options.model, paper=options.paper)
    tell(options, found, lambda: str(found["said"]))
    return 0


def shadow(options: argparse.Namespace) -> int:
    """Watch a model on paper beside the one that is obeyed."""
    from rrr.wiring import promoting

    found = promoting.shadow(home_of(options), options.model)
    tell(options, found, lambda: str(found["said"]))
    return 0


def retire(options: argparse.Namespace) -> int:
    """Let a model be obeyed and watched no more."""
    from rrr.wiring import promoting

    found = promoting.retire(home_of(options), options.model, options.reason)
    tell(options, found, lambda: str(found["said"]))
    return 0


def add(name: str, one: argparse.ArgumentParser) -> None:
    """The options of one of these commands."""
    if name == "models list":
        return
    one.add_argument("model", metavar="MODEL", help="its folder's name, or the beginning of that")
    match name:
        case "models gate" | "models promote":
            market, _ = configured(one, "the account", ACCOUNT)
            market.add_argument("--timerange", metavar="FROM-TO", help="both at once")
        case "models retire":
            one.add_argument("--reason", default="", metavar="TEXT", help="for the registry")
    if name == "models promote":
        one.add_argument(
            "--paper", action="store_true", help="unproven as it is: real money never obeys it"
        )


MODELS = {
    "models list": ("every model, its state and its verdict", list_models),
    "models show": ("what a model was made of, and its verdict", show),
    "models gate": ("judge a model of a full training", gate),
    "models promote": ("let a proven model be obeyed", promote),
    "models shadow": ("watch a model on paper: a test of plumbing", shadow),
    "models retire": ("let a model be obeyed no more", retire),
}
