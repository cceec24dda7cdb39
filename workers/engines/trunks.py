"""The encoders of one process, each loaded once for whoever asks."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

import torch

from workers.engines.base import LaneKey
from workers.engines.encoder import SentenceEncoder
from workers.engines.folder import CONFIG, WEIGHTS
from workers.engines.trunk import Trunk, load_trunk
from workers.engines.trunk_lane import TrunkLane
from workers.errors import ModelRefused


@dataclass(frozen=True, slots=True)
class _Copy:
    """``stamps`` are inode, size and time of the files: a replaced folder is another encoder."""

    folder: Path
    stamps: tuple[tuple[int, int, int], ...]
    device: torch.device
    dtype: torch.dtype


class Trunks:
    """Shares encoders among engines; what no engine holds any more is forgotten.

    Built once a process and passed down. Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._trunks: WeakValueDictionary[_Copy, Trunk] = WeakValueDictionary()
        self._lanes: WeakValueDictionary[Hashable, TrunkLane] = WeakValueDictionary()
        self._encoders: WeakValueDictionary[Hashable, SentenceEncoder] = WeakValueDictionary()
        self._lock = threading.RLock()

    def encoder(
        self, folder: Path, max_tokens: int, device: torch.device, dtype: torch.dtype
    ) -> SentenceEncoder:
        """Return the encoder in ``folder`` that cuts texts at ``max_tokens``.

        Encoders that differ in ``max_tokens`` alone share weights and lane.

        Raises:
            ModelRefused: the folder is incomplete, inconsistent or unsafe.
        """
        with self._lock:
            copy = _copy(folder, device, dtype)
            found = self._encoders.get((copy, max_tokens))
            if found is None:
                trunk = self._trunks.get(copy)
                if trunk is None:
                    trunk = self._trunks[copy] = load_trunk(copy.folder, device, dtype)
                lane = self._lane(copy, LaneKey(*_names(trunk, copy)), device, trunk)
                found = SentenceEncoder(copy.folder, max_tokens, trunk, lane)
                self._encoders[copy, max_tokens] = found
            return found

    def headless(self, device: torch.device) -> TrunkLane:
        """Return the lane of engines on ``device`` that need no encoder."""
        with self._lock:
            return self._lane(device, LaneKey("heads", "0", str(device), "float32"), device, None)

    def holds(self, folder: Path, device: torch.device, dtype: torch.dtype) -> bool:
        """Whether the weights in ``folder`` are loaded for that device and dtype."""
        with self._lock:
            return _copy(folder, device, dtype) in self._trunks

    def _lane(
        self, place: Hashable, key: LaneKey, device: torch.device, trunk: Trunk | None
    ) -> TrunkLane:
        lane = self._lanes.get(place)
        if lane is None:
            lane = self._lanes[place] = TrunkLane(key, device, trunk)
        return lane


def _names(trunk: Trunk, copy: _Copy) -> tuple[str, str, str, str]:
    dtype = str(copy.dtype).removeprefix("torch.")
    return "/".join(copy.folder.parts[-2:]), trunk.revision, str(copy.device), dtype


def _copy(folder: Path, device: torch.device, dtype: torch.dtype) -> _Copy:
    folder = folder.resolve()
    stamps = []
    for name in (CONFIG, WEIGHTS):
        try:
            found = (folder / name).stat()
        except OSError as error:
            raise ModelRefused(f"{folder} has no {name}; it is not a model folder") from error
        stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return _Copy(folder, tuple(stamps), device, dtype)
