"""Named locks: who holds what, who waits, and the RPC methods.

rpc.py       messages -> a driver          driver.py   what a driver does
drivers/     memory.py (over locks.py and resource.py, both pure)
             redis.py (over redis_watch.py and redis_script.py, which runs resource.lua)
"""
