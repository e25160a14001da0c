"""HTTP/1.0 and HTTP/1.1 in our own event loop. Heads are parsed by httptools (llhttp).

refusals.py       malformed requests: their status, log lines and counts
target.py         the request target: path, query, host (pure)
request_head.py   the head of a request (pure)
chunked.py        the chunked transfer coding of a request body (pure)
header_block.py   the header lines of a response (pure)
response_head.py  its first line, and its date
whole.py          how an application serves small requests without a task
file_sender.py     bytes of a file, with sendfile(2)
exchange.py       one request and its response: what an application sees
connection.py     one client connection
listener.py       the connections of one address
"""
