"""Named locks: who holds what, who waits, and the RPC methods.

rpc.py       messages -> a driver          driver.py   what a driver does
drivers/     memory (locks.py over resource.py, both pure), redis (resource.lua)
"""
