-- One batch of one partition: check where Redis stands, judge each record, claim, move the cursor. Atomic, so that claims and cursor can
-- never disagree. The rule it indexes is design.md §6: a record is a duplicate if an earlier record of its partition with the same
-- event id has a log time at most the window before its own; log time is the highest timestamp up to a record.
--
-- KEYS[1]  the partition's prefix and hash tag, e.g. "d{3}": the cursor, a hash; a claim is at KEYS[1] .. epoch .. event id (16 bytes)
-- ARGV     1 "judge", or "fill" to claim a lost range again  2 begin  3 end  4 log time at begin if known, or ""
--          5 window ms  6 claim life ms  7 our clock ms  8 slack ms
--          9 records, 52 bytes each: event id 16 (zeros: none), cancel id 16 (zeros: none), content hash 8, timestamp 6, offset 6
-- Cursor    epoch: changes when all claims are made anew, so that old ones are never met; upto: claims are known up to here; committed: the
--           highest begin judged; ends: where batches ended, with the log time there; completeAt: since when the claims are complete;
--           peak, peakTime: the record that first reached the log time, by which another life of the topic is told apart
-- A claim   holder 6, last seen log time 6, content hash 8; after a re-claim also the previous holder 6 and its last seen 6
-- Returns   {"ok", log time at the end, verdicts: 8 bytes each: N/S/D/C/- , late 0/1, holder 6}  or  {reason, detail, epoch}
local cursorKey, mode, begin, stop = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local window, life, slack = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[8])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if math.abs(now - tonumber(ARGV[7])) > 3600000 then return {'clock', tostring(now - tonumber(ARGV[7])), ''} end

local c = redis.call('HMGET', cursorKey, 'epoch', 'upto', 'committed', 'completeAt', 'ends')
local epoch, upto, committed, completeAt, ends = c[1], tonumber(c[2]), tonumber(c[3]), tonumber(c[4]), c[5]
local function refuse(reason, detail) return {reason, string.format('%.0f', detail), epoch or ''} end
if not upto then return refuse('missing', begin) end
if mode == 'judge' and begin < committed then return refuse('set-back', committed) end
if begin > upto then return refuse('behind', upto) end
if mode == 'fill' and begin ~= upto then return refuse('moved', upto) end

-- Every batch begins where some batch ended, if only an aborted or a zombie's one.
local logTime = tonumber(ARGV[4])
for at = 1, #ends, 12 do
  local offset, time = struct.unpack('>I6I6', ends, at)
  if offset == begin then logTime = time end
end
if not logTime then return refuse('unknown', upto) end
-- Claims live for window + slack of wall time: a batch that lags more may miss some that have expired, unless all were made anew since.
if mode == 'judge' and logTime > 0 and logTime < now - slack and now - completeAt > slack then return refuse('lagging', now - logTime) end

local none = string.rep('\0', 16)
local beginLog, verdicts, peak = logTime, {}, nil
for at = 1, #ARGV[9], 52 do
  local id, cancel, hash, timestamp, offset = struct.unpack('>c16c16c8I6I6', ARGV[9], at)
  if timestamp > logTime then logTime, peak = timestamp, offset end
  local verdict, late, holder = '-', 0, offset
  if id ~= none then
    local key = cursorKey .. epoch .. id
    local claim = redis.call('GET', key)
    local seen, held
    if claim then holder, seen, held = struct.unpack('>I6I6c8', claim) end
    if claim and holder > offset then return refuse('future', holder) end
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
      local canceled = redis.call('GET', cursorKey .. epoch .. cancel)
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
redis.call('HSET', cursorKey, 'upto', math.max(upto, stop), 'committed', mode == 'judge' and begin or committed, 'ends', kept)
if peak and stop >= upto then redis.call('HSET', cursorKey, 'peak', peak, 'peakTime', logTime) end
return {'ok', string.format('%.0f', logTime), table.concat(verdicts)}
