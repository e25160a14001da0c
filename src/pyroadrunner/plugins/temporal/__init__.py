"""Workflows and activities of Temporal's PHP SDK.

The road of a workflow task goes down, its commands come back up:

    task_queue.py        polls the engine for one task queue
      workflows.py       one instance of each cached run; activations in, completions out
        instance.py      one run: jobs of an activation -> frames for PHP -> commands for Temporal (pure)
          workflow_worker.py   the one PHP process that runs all workflows
    activities.py        an activity task -> a worker of the pool -> its result

``core.py`` alone imports the private parts of ``temporalio``: the bridge to sdk-core, the engine of Temporal's own SDKs
for Python, TypeScript, .NET and Ruby.
"""
