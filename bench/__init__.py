"""Measures the server side by side with nginx + php-fpm and with the bare workers, and checks what was promised.

    __main__.py      `make bench`: every load on every subject in turn, report, docs/benchmarks.md
    loads.py         what is asked for: hello, a POST, a large answer, an application
    rr.py nginx.py   subjects that speak HTTP, started with two PHP workers each
    bare.py          the same workers over pipes with no HTTP: the limit
    measure.py       one load on one subject: traffic, CPU and memory
    wrk.py           runs wrk and reads what it reports; wrk/ has its scripts
    processes.py     CPU and memory of a tree of processes, from /proc
    targets.py       what was promised, and whether it holds (pure)
    checks.py        a value against its target, as a table (pure)
    report.py        results as text and as Markdown (pure)
    machine.py       what this ran on
    client.py        single requests: is it up, does it answer rightly
    acceptance.py    `make acceptance`: startup, big, overload, churn, which also run alone: python -m bench.churn
    rpc.py           `python -m bench.rpc`: calls from PHP, key-value storages
    php/             what the workers do

Linux only: it reads /proc. No part of the package.
"""
