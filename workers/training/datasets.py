"""The public data sets that training reads, and what to say when one is not there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class DataMissing(Exception):
    """One or more data sets are not in the data folder; the message names each and its source."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """A public data set as JSONL: ``DIR/<name>/train.jsonl`` and ``dev.jsonl``.

    ``fields`` says what each line must hold, for people who prepare the files.
    """

    name: str
    source: str
    licence: str
    fields: str

    def rows(self, data: Path, split: str) -> list[Row]:
        """All rows of ``split``; raises DataMissing for an absent or unreadable file."""
        path = data / self.name / f"{split}.jsonl"
        try:
            with path.open(encoding="utf-8") as lines:
                return [json.loads(line) for line in lines if line.strip()]
        except FileNotFoundError as error:
            raise DataMissing(describe_missing(data, [self], [split])) from error
        except ValueError as error:
            raise DataMissing(f"{path} is not JSONL: {error}") from error


def require(data: Path, sets: Iterable[DataSet], splits: Sequence[str]) -> None:
    """Raise DataMissing, naming every absent set at once, unless all files are there."""
    absent = [
        one
        for one in sets
        if not all((data / one.name / f"{split}.jsonl").is_file() for split in splits)
    ]
    if absent:
        raise DataMissing(describe_missing(data, absent, splits))


def describe_missing(data: Path, absent: Sequence[DataSet], splits: Sequence[str]) -> str:
    """What is missing from ``data``, where it comes from and in which form it is wanted."""
    files = " and ".join(f"{split}.jsonl" for split in splits)
    lines = [f"{data} lacks {len(absent)} data set(s); each is a folder with {files} (UTF-8):"]
    lines += [f"  {one.name}: {one.source} ({one.licence}); lines {one.fields}" for one in absent]
    return "\n".join(lines)


_BINARY = '{"text": …, "label": …}'
_TWEETEVAL = "without any restrictions, beside the platform's terms"

OPENAI = DataSet(
    "mod_openai",
    "https://github.com/openai/moderation-api-release",
    "MIT",
    '{"text": …, "labels": {"S": 0|1|null, "H": …, "V": …, "HR": …, "SH": …, "H2": …, "V2": …}}',
)
DAVIDSON = DataSet(
    "mod_davidson",
    "https://github.com/t-davidson/hate-speech-and-offensive-language",
    "MIT",
    '{"text": …, "label": "hate"|"offensive"|"neither"}',
)
TWEET_HATE = DataSet(
    "mod_tweet_hate", "https://github.com/cardiffnlp/tweeteval (hate)", _TWEETEVAL, _BINARY
)
TWEET_OFFENSIVE = DataSet(
    "mod_tweet_offensive",
    "https://github.com/cardiffnlp/tweeteval (offensive)",
    _TWEETEVAL,
    _BINARY,
)
STORMFRONT = DataSet(
    "mod_stormfront",
    "https://github.com/Vicomtech/hate-speech-dataset",
    "CC BY-SA 3.0",
    _BINARY,
)
COLD = DataSet("mod_cold", "https://github.com/thu-coai/COLDataset", "Apache-2.0", _BINARY)
HATECHECK = DataSet(
    "mod_hatecheck", "https://github.com/paul-rottger/hatecheck-data", "CC BY 4.0", _BINARY
)
HATECHECK_ZH = DataSet(
    "mod_hatecheck_zh",
    "https://github.com/rewire-online/multilingual-hatecheck",
    "CC BY 4.0",
    _BINARY,
)
TATOEBA = DataSet(
    "mt_tatoeba", "https://tatoeba.org/downloads", "CC BY 2.0 FR", '{"en": …, "zh": …}'
)
AG_NEWS = DataSet(
    "cls_agnews",
    "http://groups.di.unipi.it/~gulli/AG_corpus_of_news_articles.html",
    "research use; measured only",
    '{"text": …}',
)
SST2 = DataSet(
    "sent_sst2",
    "https://nlp.stanford.edu/sentiment",
    "none stated; measured only",
    '{"text": …}',
)
WAIMAI = DataSet(
    "sent_waimai_zh",
    "https://github.com/SophonPlus/ChineseNlpCorpus",
    "none stated; measured only",
    '{"text": …}',
)
BANKING = DataSet(
    "cls_banking77",
    "https://github.com/PolyAI-LDN/task-specific-datasets",
    "CC BY 4.0",
    '{"text": …}',
)
