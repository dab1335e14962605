"""What stands in a log, over all its files, read without any code of the product."""

import gzip
import json
from pathlib import Path
from typing import Any


def lines(logs: Path, log: str = "trading", ending: str = ".log") -> list[str]:
    """All lines, archived ones first."""
    archived = sorted(
        (logs / "archive").glob(f"{log}-*{ending}.gz"),
        key=lambda path: int(path.name.partition(".")[0].rpartition("-")[2]),
    )
    texts = [gzip.decompress(path.read_bytes()) for path in archived]
    texts += [path.read_bytes() for path in sorted((logs / log).glob(f"{log}-*{ending}"))]
    texts += [path.read_bytes() for path in (logs / log).glob(f"{log}{ending}")]
    assert all(text.endswith(b"\n") for text in texts)
    return b"".join(texts).decode().split("\n")[:-1]


def objects(logs: Path, log: str = "trading") -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(logs, log, ".jsonl")]


def everything(logs: Path) -> bytes:
    """Every byte that lies in the folder, uncompressed."""
    return b"\n".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted(logs.rglob("*"))
        if path.is_file()
    )
