"""Pools of worker processes.

A worker is a child process that answers calls, one at a time; the server's own coroutines are "tasks". A call is what a
plugin wants done: an HTTP request, a job. The modules in the order in which to read them:

    contract            what a pool promises, for plugins (exported by ``contracts``)
    payload, errors     what a worker gets and sends back; why a call has no reply
    config              the ``pool`` section; partial_config, reloadable: of routes, on ``rr reload``

    pool                gives calls to free workers; reset and destroy
    admission           bounds the calls in a pool
    call, call_queue    one call; the calls that wait, and their order
    worker              one worker: the call it runs, and its end
    state               the states of a worker, and its legal transitions
    reply_stream        a streamed reply, with flow control
    lease               a worker held by one caller
    ticker              checks deadlines, without a timer per call
    drain               what a stopping pool waits for

    worker_set          keeps the wanted number of workers running
    spawn               a command -> a worker that has said hello
    child_process       starts, watches and kills a process group; output: reads its stderr
    supervisor          replaces workers that exceed a limit; limits, usage: which, by what
    dynamic_allocator   adds workers while calls wait
    crash               how a worker ended; crash_report, exception_text: its log line

    debug_pool          a pool with a process for each call
    events, info, stats what a pool reports; health, metrics: the same for probes and Prometheus
    pools               starts the pools of a plugin together
"""
