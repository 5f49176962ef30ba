-- All claims of a partition are made anew from `begin` on: a new epoch, so that whatever is left of the old claims is never met and expires.
-- Only if the epoch is still the one that was found wanting: of two that notice, one begins.
-- KEYS[1] the partition  ARGV 1 epoch found, or ""  2 new epoch  3 begin      Returns 1, or 0 if another has begun
if (redis.call('HGET', KEYS[1], 'epoch') or '') ~= ARGV[1] then return 0 end
local clock = redis.call('TIME')
redis.call('DEL', KEYS[1])
-- Nothing before `begin` matters, so its log time may count as 0: the first record there raises it.
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'upto', ARGV[3], 'committed', ARGV[3], 'completeAt', clock[1] * 1000,
  'ends', struct.pack('>I6I6', tonumber(ARGV[3]), 0))
return 1
