"""Keys of the hotlists in Redis, and the steps that must be one: Lua scripts.

Keys, all below ``lik:``

===================================== ======================================================================
``lik:hotlists``                      hash: list name -> metadata (JSON)
``lik:hotlists:live``                 hash: list name -> number of its live version
``lik:hotlists:stamps``               hash: list name -> snapshot version of its last change. A name that is
                                      here and not in ``live`` was taken out of use; one that is in neither was
                                      never published, or Redis has lost it.
``lik:hotlists:version``              the snapshot's version: grows with each change of any list
``lik:hotlists:epoch``                identity of this Redis's data: another one when it began anew from nothing
``lik:hotlists:changes``              stream: what changed, from which number to which, by whom, when and why
``lik:hotlist:NAME:next``             counter of the list's versions
``lik:hotlist:NAME:iN``               hash: what version N is (`hotlists.versions.VersionInfo`), how many chunks
                                      it has of each form and their digests, and an identity: a Redis that began
                                      anew counts from 1 again
``lik:hotlist:NAME:vN``               chunks of the packed columns of version N, whole
``lik:hotlist:NAME:dN``               chunks of a packed `Edit`: what makes the version that N is based on N
``lik:hotlist:NAME:cN``               version N whole, while it is written to be `vN`; expires
``lik:hotlist:NAME:staged``           sorted set: versions that are uploaded and not published, by when they expire
``lik:hotlist:NAME:versions``         sorted set: the versions that are kept, by when they last became live
``lik:hotlist:NAME:stored``           set: the versions of which a part is stored, kept ones and those below them
``lik:worker:ID``                     what a match worker holds (`hotlists.versions.WorkerReport`); expires
===================================== ======================================================================

A replacement has ``v``, and ``d`` as well where it changes little of what it follows. A delta has ``d``: it is
read by way of the versions below it, until one has ``v``. What is staged expires; the switch that publishes it
takes the expiry away.
"""

from __future__ import annotations

from typing import Final

META: Final = "lik:hotlists"
LIVE: Final = "lik:hotlists:live"
STAMPS: Final = "lik:hotlists:stamps"
VERSION: Final = "lik:hotlists:version"
EPOCH: Final = "lik:hotlists:epoch"
CHANGES: Final = "lik:hotlists:changes"
SHARED: Final = (VERSION, LIVE, CHANGES, META, STAMPS, EPOCH)
"""The first keys of every script, in this order."""
WORKER: Final = "lik:worker:"


def prefix(name: str) -> str:
    """Return what the keys of one list begin with."""
    return f"lik:hotlist:{name}:"


# A script is one step to everybody else. Its version is milliseconds since the epoch and more than the one
# before, so that it grows even when Redis has lost what it held. ARGV[1] is now in ms, ARGV[2] a fresh identity.
_COMMON: Final = """
local function identify()
    redis.call('set', KEYS[6], ARGV[2], 'NX')
end
local function bump(name)
    identify()
    local version = math.max(tonumber(redis.call('get', KEYS[1]) or '0') + 1, tonumber(ARGV[1]))
    local text = string.format('%.0f', version)
    redis.call('set', KEYS[1], text)
    redis.call('hset', KEYS[5], name, text)
    return text
end
local function tell(...)
    redis.call('xadd', KEYS[3], 'MAXLEN', '~', 10000, '*', ...)
end
"""

# What a version needs is whole: walk down to one that is stored as columns. True for 0, the empty list.
_CHAIN: Final = """
local function based_on(prefix, number)
    return redis.call('hget', prefix .. 'i' .. number, 'based_on') or false
end
local function whole(prefix, number)
    while number ~= '0' do
        if redis.call('exists', prefix .. 'v' .. number) == 1 then return true end
        if redis.call('exists', prefix .. 'd' .. number) == 0 then return false end
        number = based_on(prefix, number)
        if not number then return false end
    end
    return true
end
"""

# Remove from the kept versions all but the last of each kind, and every part that no kept one needs.
_TRIM: Final = """
local function trim(prefix, kept_full, kept_delta)
    local kept = redis.call('zrange', prefix .. 'versions', 0, -1)
    local left = {full = tonumber(kept_full), delta = tonumber(kept_delta)}
    local marked = {}
    for at = #kept, 1, -1 do
        local number = kept[at]
        local kind = redis.call('hget', prefix .. 'i' .. number, 'kind') or 'full'
        if left[kind] > 0 then
            left[kind] = left[kind] - 1
            while number and number ~= '0' and not marked[number] do
                marked[number] = true
                if redis.call('exists', prefix .. 'v' .. number) == 1 then break end
                number = based_on(prefix, number)
            end
        else
            redis.call('zrem', prefix .. 'versions', number)
            redis.call('sadd', prefix .. 'stored', number)
        end
    end
    for _, number in ipairs(redis.call('smembers', prefix .. 'stored')) do
        if not marked[number] then
            redis.call('unlink', prefix .. 'v' .. number, prefix .. 'd' .. number, prefix .. 'i' .. number)
            redis.call('srem', prefix .. 'stored', number)
        end
    end
end
"""

DESCRIBE: Final = f"""{_COMMON}
-- ARGV: now, identity, list, its metadata, whether it is archived, by, why
identify()
redis.call('hset', KEYS[4], ARGV[3], ARGV[4])
if ARGV[5] == '1' then
    redis.call('hdel', KEYS[2], ARGV[3])
    local version = bump(ARGV[3])
    tell('list', ARGV[3], 'what', 'archived', 'version', version, 'by', ARGV[6], 'why', ARGV[7])
elseif redis.call('hexists', KEYS[2], ARGV[3]) == 1 then
    local version = bump(ARGV[3])
    tell('list', ARGV[3], 'what', 'metadata', 'version', version, 'by', ARGV[6], 'why', ARGV[7])
end
"""

PUBLISH: Final = f"""{_COMMON}{_CHAIN}{_TRIM}
-- ARGV: now, identity, list, prefix of its keys, number, number that must be live ('': any; '0': none), by, why,
-- now in ns, how many full versions and how many deltas to keep.
-- Returns what became of it ('published', 'conflict', 'missing'), and the snapshot version or what is live.
local name, prefix, number = ARGV[3], ARGV[4], ARGV[5]
local live = redis.call('hget', KEYS[2], name) or '0'
if ARGV[6] ~= '' and ARGV[6] ~= live then return {{'conflict', live}} end
local info = prefix .. 'i' .. number
local full = tonumber(redis.call('hget', info, 'full') or '-1')
local delta = tonumber(redis.call('hget', info, 'delta') or '-1')
if full < 0 or redis.call('zscore', prefix .. 'staged', number) == false then return {{'missing', live}} end
if redis.call('llen', prefix .. 'v' .. number) ~= full then return {{'missing', live}} end
if redis.call('llen', prefix .. 'd' .. number) ~= delta then return {{'missing', live}} end
if full == 0 then
    -- An edit means the same whatever it is laid over. A single entry helps whoever holds what is damaged here.
    if redis.call('hget', info, 'single') ~= '1' and not whole(prefix, live) then return {{'missing', live}} end
elseif delta > 0 and redis.call('hget', info, 'based_on') ~= live then
    -- What a replacement changes was worked out against another version than it now follows.
    redis.call('unlink', prefix .. 'd' .. number)
    redis.call('hset', info, 'delta', '0')
    delta = 0
end
redis.call('hset', info, 'based_on', live)
for _, part in ipairs({{'i', 'v', 'd'}}) do redis.call('persist', prefix .. part .. number) end
redis.call('zrem', prefix .. 'staged', number)
local version = bump(name)
redis.call('hset', info, 'published_by', ARGV[7], 'why', ARGV[8], 'when_ns', ARGV[9])
if redis.call('hget', info, 'single') == '1' and live ~= '0' then
    -- An entry by hand is no sign that the owner's list still comes.
    local since = redis.call('hmget', prefix .. 'i' .. live, 'fresh_ns', 'when_ns')
    redis.call('hset', info, 'fresh_ns', since[1] or since[2] or '0')
end
redis.call('hset', KEYS[2], name, number)
redis.call('zadd', prefix .. 'versions', version, number)
redis.call('sadd', prefix .. 'stored', number)
tell('list', name, 'what', 'published', 'number', number, 'from', live, 'version', version,
    'kind', redis.call('hget', info, 'kind'), 'by', ARGV[7], 'why', ARGV[8])
trim(prefix, ARGV[10], ARGV[11])
return {{'published', version}}
"""

ROLL_BACK: Final = f"""{_COMMON}{_CHAIN}
-- ARGV: now, identity, list, prefix of its keys, number, number that must be live ('': any; '0': none), by, why.
-- Returns as PUBLISH.
local name, prefix, number = ARGV[3], ARGV[4], ARGV[5]
local live = redis.call('hget', KEYS[2], name) or '0'
if ARGV[6] ~= '' and ARGV[6] ~= live then return {{'conflict', live}} end
if not redis.call('zscore', prefix .. 'versions', number) then return {{'missing', live}} end
if not whole(prefix, number) then return {{'missing', live}} end
local version = bump(name)
redis.call('hset', KEYS[2], name, number)
redis.call('zadd', prefix .. 'versions', version, number)
tell('list', name, 'what', 'rolled-back', 'number', number, 'from', live, 'version', version,
    'by', ARGV[7], 'why', ARGV[8])
return {{'published', version}}
"""

COMPACT: Final = """
-- KEYS: columns under a name of their own. ARGV: prefix of the list's keys, number, how many chunks, their digest.
-- Puts them in place as the whole of a version that is read by way of others. 1 where it did.
local prefix, number = ARGV[1], ARGV[2]
local stored = redis.call('sismember', prefix .. 'stored', number) == 1
if redis.call('llen', KEYS[1]) ~= tonumber(ARGV[3]) or not stored
    or redis.call('exists', prefix .. 'v' .. number) == 1 then
    redis.call('unlink', KEYS[1])
    return 0
end
redis.call('persist', KEYS[1])
redis.call('rename', KEYS[1], prefix .. 'v' .. number)
redis.call('hset', prefix .. 'i' .. number, 'full', ARGV[3], 'full_sha256', ARGV[4])
return 1
"""

STATE: Final = f"""{_COMMON}
-- ARGV: now, identity. What workers follow, as it is at one moment: version, epoch, metadata, stamps; and of each
-- live version: list, number, identity, when its owner's list came last, and when it was published.
if redis.call('exists', KEYS[1]) == 1 then identify() end
local live = {{}}
local lives = redis.call('hgetall', KEYS[2])
for at = 1, #lives, 2 do
    local info = 'lik:hotlist:' .. lives[at] .. ':i' .. lives[at + 1]
    local told = redis.call('hmget', info, 'id', 'fresh_ns', 'when_ns')
    table.insert(live, {{lives[at], lives[at + 1], told[1] or '', told[2] or told[3] or '0', told[3] or '0'}})
end
return {{redis.call('get', KEYS[1]) or '0', redis.call('get', KEYS[6]) or '',
    redis.call('hgetall', KEYS[4]), redis.call('hgetall', KEYS[5]), live}}
"""

PATH: Final = f"""{_CHAIN}
-- ARGV: prefix of the list's keys, number held and its identity ('': none), number wanted. What makes the wanted
-- version: first the one to begin with, which is held, or stored whole, or '0', the empty list; then the edits
-- that follow, in order. Of each: number, identity, how many chunks, their digest.
-- Empty: a part is missing, or (where one is held) no edits lead there.
local prefix, held, held_id, number = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local path = {{}}
local function step(kind)
    local told = redis.call('hmget', prefix .. 'i' .. number, 'id', kind, kind .. '_sha256')
    table.insert(path, 1, {{number, told[1] or '', told[2] or '0', told[3] or ''}})
end
while true do
    if held == '' and redis.call('exists', prefix .. 'v' .. number) == 1 then
        step('full')
        return path
    end
    local id = redis.call('hget', prefix .. 'i' .. number, 'id') or ''
    if number == '0' and held == '' or held ~= '' and number == held and id == held_id then
        table.insert(path, 1, {{number, id, '0', ''}})
        return path
    end
    if number == '0' or redis.call('exists', prefix .. 'd' .. number) == 0 then return {{}} end
    step('delta')
    number = based_on(prefix, number)
    if not number then return {{}} end
end
"""
