"""Named locks: holders, waiting calls, and the RPC methods.

rpc.py       messages -> a driver          driver.py   the contract of a driver
drivers/     memory.py (over locks.py and resource.py, both pure)
             redis.py (over redis_waiters.py and redis_script.py, which runs resource.lua)
"""
