-- Which layout of keys is in use here: that of whoever came first, until nobody of that layout has said so for some seconds.
-- This text may not change, for processes of every layout share the key.

local layout = redis.call('GET', KEYS[1]) or ARGV[1]
if layout == ARGV[1] then
  redis.call('SET', KEYS[1], layout, 'EX', 20)
end
return layout
