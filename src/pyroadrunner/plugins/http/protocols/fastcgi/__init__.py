"""FastCGI responder for nginx's ``fastcgi_pass`` and other web servers; serves the same ASGI application.

records.py      records and name-value pairs, to and from bytes (pure)
request.py      CGI variables -> ASGI scope (pure)
response.py     ASGI messages -> CGI response (pure)
connection.py   one connection from a web server
listener.py     all connections of one address
"""
