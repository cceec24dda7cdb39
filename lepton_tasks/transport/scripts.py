r"""The Lua scripts, and every Redis key they touch.

===============================  ======  ====================================================
key                              type    content
===============================  ======  ====================================================
``<queue>``                      list    kombu's: messages as JSON, pushed left, popped right
``<queue>\x06\x16<n>``             list    kombu's: messages of that queue at priority step n
``unacked_key`` (option)         hash    delivery tag → ``[message, exchange, routing key]``
``unacked_index_key`` (option)   zset    delivery tag → Unix time of the fetch, in seconds
``lepton:quarantine``            list    newest left: a line of JSON, then the raw message
===============================  ======  ====================================================

All of them carry the ``global_keyprefix`` where one is set. The unacked keys have
kombu's own format, so that stock workers and ours restore each other's messages;
ours are written with the default exchange and the queue's name, which lead back to
the queue the message came from whatever its exchange was. The line of JSON of a
quarantined message is ``{"id", "at", "queue", "reason"}``, ``at`` in Unix seconds.

Scripts do not roll back. So each message is registered or set aside before the next
is popped, keys of a wrong type are refused before the first pop, and nothing is
popped that could fail afterwards: a script that has begun to write is not stopped by
``maxmemory``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import orjson
import redis

_SET_ASIDE: Final = """
local serial = 0
local function set_aside(quarantine, bound, micros, queue, reason, raw)
  serial = serial + 1
  local line = cjson.encode({
    id = string.format('%.0f-%d', micros, serial), at = micros / 1e6,
    queue = queue, reason = reason})
  redis.call('LPUSH', quarantine, line .. '\\n' .. raw)
  redis.call('LTRIM', quarantine, 0, bound - 1)
end

local function micros_now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
"""

FETCH: Final = (
    _SET_ASIDE
    + """
-- KEYS: unacked, index, quarantine, then the lists, in the order of their priority.
-- ARGV: most messages to pop, bound of the quarantine, most bytes a message may have,
--       then for each list its quota, 1 where more may be taken of it (else 0), and its
--       queue's name.
-- Pops each list's quota, then the rest of the room in the order of the lists.
-- Returns list number (from 1), delivery tag and raw message of each good message.
local unacked, index, quarantine = KEYS[1], KEYS[2], KEYS[3]
local room, bound, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('HLEN', unacked)
redis.call('ZCARD', index)
redis.call('LLEN', quarantine)
local now = micros_now()
local fetched, popped = {}, 0

local function read(raw)
  if #raw > longest then return nil, 'longer than ' .. longest .. ' bytes' end
  local parsed, message = pcall(cjson.decode, raw)
  if not parsed then return nil, 'not JSON' end
  if type(message) ~= 'table' then return nil, 'not an object' end
  local properties = message.properties
  if type(properties) ~= 'table' then return nil, 'no properties' end
  local tag = properties.delivery_tag
  if type(tag) ~= 'string' or not string.find(tag, '^[ -~]+$') then
    return nil, 'no properties.delivery_tag of printable ASCII'
  end
  if type(properties.delivery_info) ~= 'table' then
    return nil, 'no properties.delivery_info'
  end
  if type(message.body) ~= 'string' then return nil, 'no body' end
  return tag
end

local function register(list, queue, tag, raw)
  local entry = '[' .. raw .. ', "", ' .. cjson.encode(queue) .. ']'
  if redis.call('HSETNX', unacked, tag, entry) == 1 then
    -- A microsecond apart, so that what is restored keeps its order.
    redis.call('ZADD', index, string.format('%.6f', (now + popped) / 1e6), tag)
    fetched[#fetched + 1] = list
    fetched[#fetched + 1] = tag
    fetched[#fetched + 1] = raw
  elseif redis.call('HGET', unacked, tag) ~= entry then
    set_aside(quarantine, bound, now, queue, 'delivery tag of another message in flight', raw)
  end
  -- The same message pushed twice: the registered one stands for both.
end

local function take(list, count)
  local key, queue = KEYS[3 + list], ARGV[3 + 3 * list]
  while count > 0 and popped < room do
    local raw = redis.pcall('RPOP', key)
    if type(raw) == 'table' then
      if string.find(raw.err, 'WRONGTYPE', 1, true) then return end
      return redis.error_reply(string.match(raw.err, 'READONLY.*') or raw.err)
    elseif not raw then
      return
    end
    count = count - 1
    popped = popped + 1
    local tag, fault = read(raw)
    if tag then
      register(list, queue, tag, raw)
    else
      set_aside(quarantine, bound, now, queue, fault, raw)
    end
  end
end

for list = 1, #KEYS - 3 do
  local failed = take(list, tonumber(ARGV[1 + 3 * list]))
  if failed then return failed end
end
for list = 1, #KEYS - 3 do
  local failed = take(list, ARGV[2 + 3 * list] == '1' and room or 0)
  if failed then return failed end
end
return fetched
"""
)

OVERDUE: Final = """
-- KEYS: unacked, index. ARGV: visibility timeout in seconds, most messages to return.
-- Returns the time before which a fetch is overdue, then delivery tag and entry of the
-- overdue messages, latest fetch first; an entry is nil where only the index has the tag.
local time = redis.call('TIME')
local before = string.format('%.6f', time[1] + time[2] / 1e6 - ARGV[1])
local tags = redis.call('ZRANGE', KEYS[2], before, '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, ARGV[2])
local found = {before}
for _, tag in ipairs(tags) do
  found[#found + 1] = tag
  found[#found + 1] = redis.call('HGET', KEYS[1], tag)
end
return found
"""

RESTORE: Final = """
-- KEYS: unacked, index, then the lists to restore to.
-- ARGV: latest fetch time to restore, RPUSH (popped next) or LPUSH (popped last), then
--       for each message its delivery tag, its new text, a number n and n list numbers.
-- Restores what is still unacknowledged and was not fetched anew; returns how many.
local unacked, index = KEYS[1], KEYS[2]
local before, push = tonumber(ARGV[1]), ARGV[2]
local restored, at = 0, 3
while at <= #ARGV do
  local tag, text, lists = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local score = redis.call('ZSCORE', index, tag)
  if not score or tonumber(score) <= before then
    redis.call('ZREM', index, tag)
    if redis.call('HDEL', unacked, tag) == 1 then
      restored = restored + 1
      for list = 1, lists do
        redis.call(push, KEYS[2 + ARGV[at + 2 + list]], text)
      end
    end
  end
  at = at + 3 + lists
end
return restored
"""

SET_ASIDE: Final = (
    _SET_ASIDE
    + """
-- KEYS: unacked, index, quarantine.
-- ARGV: delivery tag, bound of the quarantine, queue, reason, raw message.
-- Takes a message that was fetched out of the unacked keys and into quarantine;
-- returns 0 where it is not unacknowledged any more.
redis.call('ZREM', KEYS[2], ARGV[1])
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
set_aside(KEYS[3], tonumber(ARGV[2]), micros_now(), ARGV[3], ARGV[4], ARGV[5])
return 1
"""
)

REQUEUE: Final = """
-- KEYS: quarantine, the queue's list. ARGV: the quarantined element, its raw message.
-- Returns 0, and pushes nothing, where the element is gone.
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[2])
return 1
"""


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Redis keys beside the queues, prefix included."""

    unacked: str
    index: str
    quarantine: str


def taken_apart(entry: bytes) -> tuple[bytes, str]:
    """Message and queue of an unacked entry that :data:`FETCH` wrote, else the entry whole.

    >>> taken_apart(b'[{"body": "x"}, "", "noop.high"]')
    (b'{"body": "x"}', 'noop.high')
    >>> taken_apart(b"no entry")
    (b'no entry', '')
    """
    raw, found, queue = entry[1:-1].rpartition(b', "", ')
    try:
        name = orjson.loads(queue) if found else None
    except orjson.JSONDecodeError:
        name = None
    return (raw, name) if name and isinstance(name, str) else (entry, "")


class Scripts:
    """The Lua scripts on one connection pool: EVALSHA, loaded again where Redis forgot them."""

    def __init__(self, client: redis.Redis) -> None:
        self.fetch = client.register_script(FETCH)
        self.overdue = client.register_script(OVERDUE)
        self.restore = client.register_script(RESTORE)
        self.set_aside = client.register_script(SET_ASIDE)
