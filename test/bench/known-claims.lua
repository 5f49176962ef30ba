-- Claims as claim.lua leaves them for records that are each the first of their id, many in one call, and without the cursor.
-- KEYS[1] the partition, whose epoch has begun   ARGV 1 first number 2 one past the last 3 offset of the first 4 log time 5 claim life ms
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local first, shift = tonumber(ARGV[1]), tonumber(ARGV[3]) - tonumber(ARGV[1])
for number = first, tonumber(ARGV[2]) - 1 do
  local id = struct.pack('>I4', number + 1)
  local claim = struct.pack('>I6I6', number + shift, tonumber(ARGV[4])) .. string.rep(id, 2)
  redis.call('SET', KEYS[1] .. epoch .. string.rep(id, 4), claim, 'PX', ARGV[5])
end
