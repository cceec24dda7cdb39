"""Who owns which block of the key-value cache: pure bookkeeping, sized once, never grown."""

from __future__ import annotations

from collections.abc import Iterable


class BlockPool:
    """Blocks of ``block_tokens`` tokens each, numbered from 1; block 0 belongs to nobody.

    >>> pool = BlockPool(blocks=4, block_tokens=16)
    >>> pool.needed(17), pool.free
    (2, 4)
    >>> mine = pool.take(pool.needed(33))
    >>> mine, pool.free
    ([1, 2, 3], 1)
    >>> pool.give_back(mine)
    >>> pool.free
    4
    """

    def __init__(self, blocks: int, block_tokens: int) -> None:
        self.blocks = blocks
        self.block_tokens = block_tokens
        self._free = list(range(blocks, 0, -1))

    @property
    def free(self) -> int:
        """Blocks that nobody owns."""
        return len(self._free)

    def needed(self, tokens: int) -> int:
        """Return how many blocks hold ``tokens`` tokens."""
        return -(-tokens // self.block_tokens)

    def take(self, count: int) -> list[int]:
        """Hand out ``count`` blocks; raises ValueError where fewer are free."""
        if count > len(self._free):
            raise ValueError(f"{count} blocks were asked for and {len(self._free)} are free")
        return [self._free.pop() for _ in range(count)]

    def give_back(self, blocks: Iterable[int]) -> None:
        """Take blocks back from their owner."""
        self._free.extend(blocks)
