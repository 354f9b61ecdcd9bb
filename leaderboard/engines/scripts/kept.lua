-- All texts that are kept.

local found = {}
each_block(call('ZRANGEBYSCORE', P .. ':kept-ends', '(' .. exact(now), '+inf'), function(...)
  for _, text in ipairs(call('HMGET', P .. ':kept', ...)) do
    found[#found + 1] = text or nil
  end
end)
return cmsgpack.pack(found)
