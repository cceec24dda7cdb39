"""What ends with a ``with`` block: by being closed, or by being stopped after a start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class Closing(ABC):
    """Is closed at the end of the block."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def __enter__(self) -> Self:
        """Nothing is to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close, whatever was raised."""
        self.close()


class AsyncClosing(ABC):
    """Is closed at the end of an ``async with`` block."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of everything."""

    async def __aenter__(self) -> Self:
        """Nothing is to be opened."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close, whatever was raised."""
        await self.aclose()


class Running(ABC):
    """Is started at the beginning of the block and stopped at its end."""

    @abstractmethod
    def start(self) -> None:
        """Begin."""

    @abstractmethod
    def stop(self) -> None:
        """End."""

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, whatever was raised."""
        self.stop()
