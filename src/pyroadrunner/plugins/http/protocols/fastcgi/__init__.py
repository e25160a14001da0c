"""FastCGI, the responder's side: what nginx's ``fastcgi_pass`` speaks, in front of the same ASGI application.

records.py      records and name-value pairs, to and from bytes (pure)
request.py      CGI variables -> ASGI scope (pure)
response.py     ASGI messages -> CGI answer (pure)
connection.py   one connection of a web server
listener.py     all connections of one address
"""
