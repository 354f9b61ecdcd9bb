-- Names whose leader has not gone on, at most 100.

return cmsgpack.pack(call('ZRANGEBYSCORE', P .. ':leads', '-inf', exact(now), 'LIMIT', 0, 100))
