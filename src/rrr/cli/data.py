"""Commands about histories: `rrr data VERB`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .commands import home_of, load
from .options import configured, number
from .speaking import tell

if TYPE_CHECKING:
    from rrr.wiring.histories import Answer


def told(options: argparse.Namespace, answer: "Answer") -> int:
    tell(options, answer.told, answer.words)
    return answer.code


def download(options: argparse.Namespace) -> int:
    """Ask an exchange for its candles, and keep them."""
    from rrr.data_pipeline.download import REQUESTS_MAX, Manners
    from rrr.wiring.histories import downloaded, line

    home, shown = home_of(options), line()
    settings = load(options, home, past=True).settings
    most = REQUESTS_MAX if options.requests is None else options.requests
    with shown.shows():
        answer = downloaded(home, settings, Manners(options.replace, most), shown)
    return told(options, answer)


def bring_in(options: argparse.Namespace) -> int:
    """Understand files of others, and keep their candles."""
    from rrr.data_pipeline.importing import Said
    from rrr.wiring.histories import brought_in

    said = Said(options.venue, options.symbol, options.timeframe, options.stamps)
    answer = brought_in(home_of(options), options.file, said, options.replace, options.look)
    return told(options, answer)


def list_series(options: argparse.Namespace) -> int:
    from rrr.wiring.histories import listed

    return told(options, listed(home_of(options), options.series))


def check(options: argparse.Namespace) -> int:
    from rrr.wiring.histories import checked

    return told(options, checked(home_of(options), options.series, options.page))


def resample(options: argparse.Namespace) -> int:
    from rrr.wiring.histories import lengthened

    answer = lengthened(home_of(options), options.to, options.series, options.replace)
    return told(options, answer)


def add(name: str, one: argparse.ArgumentParser) -> None:
    """The options of one of these commands."""
    match name:
        case "data download":
            market, _ = configured(one, "what is kept", ())
            market.add_argument("--timerange", metavar="FROM-TO", help="both at once")
            one.add_argument(
                "--requests",
                type=number(1_000_000),
                metavar="N",
                help="for prints, where a venue serves no older candles; or else 2000",
            )
            replace(one)
        case "data import":
            one.add_argument("file", nargs="+", type=Path, metavar="FILE")
            one.add_argument("--venue", metavar="NAME", help="whose candles they are")
            one.add_argument("--symbol", metavar="NAME", help="such as BTC-USD")
            one.add_argument("--timeframe", metavar="SPAN", help="of one candle")
            one.add_argument(
                "--stamps",
                choices=("open", "close"),
                metavar="WHEN",
                help="what its times are of: open or close",
            )
            one.add_argument("--look", action="store_true", help="say what it is, keep nothing")
            replace(one)
        case "data resample":
            one.add_argument("to", metavar="TIMEFRAME", help="of what is made, such as 1h")
            series(one)
            replace(one)
        case "data check":
            series(one)
            one.add_argument("--page", type=Path, metavar="FILE", help="a picture: one HTML file")
        case _:
            series(one)


def series(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "series", nargs="*", metavar="VENUE[/SYMBOL[/TIMEFRAME]]", help="or else all there are"
    )


def replace(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--replace", action="store_true", help="candles that are held with other figures"
    )


DATA = {
    "data download": ("candles of an exchange, kept", download),
    "data import": ("candles of a file of others, kept", bring_in),
    "data list": ("every history that is held", list_series),
    "data check": ("gaps, impossible candles, spikes, with a picture", check),
    "data resample": ("longer candles made of shorter ones", resample),
}
