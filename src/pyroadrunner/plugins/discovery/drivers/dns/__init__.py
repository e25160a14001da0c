"""SRV records of DNS (RFC 2782); only read."""
