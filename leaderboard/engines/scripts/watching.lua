-- Connections that watch boards in other processes than the one that asks; in the order of `paths`.

local counts = {}
for i, path in ipairs(ask.paths) do
  counts[i] = watching(path, ask.process)
end
return cmsgpack.pack(counts)
