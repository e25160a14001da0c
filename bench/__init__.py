"""Measures the server next to nginx + php-fpm and the bare workers, and checks the targets.

    __main__.py      `make bench`: every load on every subject in turn, report, docs/benchmarks.md
    loads.py         the requests: hello, a page for a browser, a POST, a large response, an application, a boot
    classes.py       the class files that the boot loads
    rr.py nginx.py   HTTP servers under test, started with two PHP workers each
    bare.py          the same workers over pipes without HTTP: the limit
    measure.py       one load on one subject: traffic, CPU and memory
    wrk.py           runs wrk and reads what it reports; wrk/ has its scripts
    processes.py     CPU and memory of a tree of processes, from /proc
    targets.py       the targets, and whether they are met (pure)
    checks.py        a value against its target, as a table (pure)
    report.py        results as text and as Markdown (pure)
    machine.py       the machine of the run
    client.py        single requests: whether a server is up and responds correctly
    acceptance.py    `make acceptance`: startup, big, overload, churn, which also run alone: python -m bench.churn
    rpc.py           `python -m bench.rpc`: calls from PHP, key-value storages
    jobs.py          `python -m bench.jobs`, also part of `make bench`: job queues, driver by driver
    job_server.py    a server with two job workers, and one round on it
    job_samples.py   runs of jobs as figures, rows and checks (pure)
    broker.py        what a broker is; brokers.py and kafka.py start them, each for its rows alone
    client_loops.py  the clients of the brokers alone: the limit
    jobs_worker.py   the worker in Python
    php/             the code of the workers

Linux only: it reads /proc. Not part of the package.
"""
