"""Job queues: push jobs with :class:`Jobs` or :class:`AsyncJobs`, run them with :class:`JobsWorker`.

A whole worker is::

    from pyroadrunner.sdk.jobs import Handlers

    handlers = Handlers()

    @handlers.job("send-mail")
    def send_mail(task):
        ...

    handlers.serve()

A whole producer::

    from pyroadrunner.sdk.jobs import Jobs

    with Jobs() as jobs:
        jobs.push("mails", "send-mail", b'{"to": "a@example.com"}', delay=10)
"""

from pyroadrunner.sdk.jobs.asynchronous import AsyncJobs
from pyroadrunner.sdk.jobs.blocking import Jobs
from pyroadrunner.sdk.jobs.messages import NewJob, PipelineStat
from pyroadrunner.sdk.jobs.worker import Handlers, JobsWorker, Task, serve

__all__ = ["AsyncJobs", "Handlers", "Jobs", "JobsWorker", "NewJob", "PipelineStat", "Task", "serve"]
