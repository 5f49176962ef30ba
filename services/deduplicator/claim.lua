-- One batch of one partition: check where Redis stands, judge each record, claim, move the cursor. Atomic, so that claims and cursor can
-- never disagree. The rule it indexes is design.md §6: a record is a duplicate if an earlier record of its partition with the same
-- event id has a log time at most the window before its own; log time is the highest timestamp up to a record.
--
-- KEYS[1]  the partition's prefix and hash tag, e.g. "d{3}"; the cursor is a hash there, a claim is at KEYS[1] .. event id (16 bytes)
-- ARGV     1 begin  2 end  3 log time at begin, if known, or ""  4 window ms  5 claim life ms  6 our clock ms  7 slack ms  8 "start" at the log's start
--          9 records, 52 bytes each: event id 16 (zeros: none), cancel id 16 (zeros: none), content hash 8, timestamp 6, offset 6
-- Cursor    upto: claims are known up to here; committed: the highest begin; ends: where batches ended, with the log time there;
--           completeAt: when all claims of the window were known to be there
-- A claim   holder 6, last seen log time 6, content hash 8; after a re-claim also the previous holder 6 and its last seen 6
-- Returns   {"ok", log time at the end, verdicts: 8 bytes each: N/S/D/C/- , late 0/1, holder 6}  or  {reason, detail}
local cursorKey, begin, stop = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local window, life, slack = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if math.abs(now - tonumber(ARGV[6])) > 3600000 then return {'clock', tostring(now - tonumber(ARGV[6]))} end

local c = redis.call('HMGET', cursorKey, 'upto', 'committed', 'completeAt', 'ends')
local upto, committed, completeAt, ends = tonumber(c[1]), tonumber(c[2]), tonumber(c[3]), c[4]
local logTime
if not upto then
  -- Nothing is known. At the start of the log there is nothing to know; anywhere else claims were lost.
  if ARGV[8] ~= 'start' then return {'missing', ''} end
  upto, committed, completeAt, ends, logTime = begin, begin, now, '', 0
  redis.call('HSET', cursorKey, 'completeAt', now)
else
  if begin < committed then return {'set-back', string.format('%.0f', committed)} end
  if begin > upto then return {'behind', string.format('%.0f', upto)} end
  -- Every batch begins where some batch ended, if only an aborted or a zombie's one.
  logTime = tonumber(ARGV[3])
  for at = 1, #ends, 12 do
    local offset, time = struct.unpack('>I6I6', ends, at)
    if offset == begin then logTime = time end
  end
  if not logTime then return {'unknown', string.format('%.0f', upto)} end
end
-- Claims live for window + slack of wall time: a batch that lags more may miss some that have expired, unless all were made anew since.
if logTime > 0 and logTime < now - slack and now - completeAt > slack then return {'lagging', string.format('%.0f', now - logTime)} end

local none = string.rep('\0', 16)
local beginLog, verdicts = logTime, {}
for at = 1, #ARGV[9], 52 do
  local id, cancel, hash, timestamp, offset = struct.unpack('>c16c16c8I6I6', ARGV[9], at)
  if timestamp > logTime then logTime = timestamp end
  local verdict, late, holder = '-', 0, offset
  if id ~= none then
    local key = cursorKey .. id
    local claim = redis.call('GET', key)
    local seen, held
    if claim then holder, seen, held = struct.unpack('>I6I6c8', claim) end
    if claim and holder > offset then return {'future', string.format('%.0f', holder)} end
    if claim and holder == offset then
      verdict = 'S' -- our own claim, made before a transaction that was aborted: emitted again
    elseif claim and logTime - seen <= window then
      verdict = held == hash and 'D' or 'C'
      redis.call('SET', key, struct.pack('>I6I6', holder, math.max(seen, logTime)) .. string.sub(claim, 13), 'PX', life)
    else
      verdict = 'N'
      -- The holder before is kept: a record that comes again must be judged as at first, when this claim was not yet made.
      local before = claim and struct.pack('>I6I6', holder, seen) or ''
      redis.call('SET', key, struct.pack('>I6I6c8', offset, logTime, hash) .. before, 'PX', life)
      holder = offset
    end
    if cancel ~= none then
      local canceled = redis.call('GET', cursorKey .. cancel)
      if canceled then
        local by, lastSeen = struct.unpack('>I6I6', canceled)
        if by > offset and #canceled > 20 then by, lastSeen = struct.unpack('>I6I6', canceled, 21) end
        if by < offset and logTime - lastSeen <= window then late = 1 end
      end
    end
  end
  verdicts[#verdicts + 1] = struct.pack('>c1I1I6', verdict, late, holder)
end

-- The newest 32 ends, each once.
local kept = struct.pack('>I6I6', stop, logTime) .. struct.pack('>I6I6', begin, beginLog)
for at = 1, #ends, 12 do
  local offset = struct.unpack('>I6', ends, at)
  if offset ~= stop and offset ~= begin and #kept < 32 * 12 then kept = kept .. string.sub(ends, at, at + 11) end
end
redis.call('HSET', cursorKey, 'upto', math.max(upto, stop), 'committed', begin, 'ends', kept)
return {'ok', string.format('%.0f', logTime), table.concat(verdicts)}
