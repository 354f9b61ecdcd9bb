-- Ends boards whose time is over, at most 100; true if there may be more. And keeps in mind which server this is.

call('EXPIRE', P .. ':server', SERVED)
local _, looked = sweep(100)
return cmsgpack.pack(looked == 100)
