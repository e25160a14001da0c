<?php

declare(strict_types=1);

// A small Temporal SDK for tests: workflows are functions in fibers. It says to the server what temporal/sdk says.

namespace Workflows;

use PyRoadRunner\Rpc\Rpc;
use PyRoadRunner\Worker;

require \getenv('RR_PHP_LIBRARY') . '/autoload.php';
require __DIR__ . '/wire.php';

/** The outcome of a command. */
final class Promise
{
    public bool $done = false;
    public mixed $value = null;
    public ?Failure $failure = null;

    public function __construct(public readonly int $id = 0) {}

    public function settle(mixed $value, ?Failure $failure): void
    {
        $this->done = true;
        $this->value = $value;
        $this->failure = $failure;
    }
}

/** Thrown by an activity that another process completes. */
final class Asynchronous extends \Exception {}

/** A workflow run in memory: what a workflow function gets as its first argument. */
final class Workflow
{
    /** @var array<int, Promise> */
    public array $promises = [];
    /** @var list<Message> */
    public array $outgoing = [];
    /** @var list<array{\Fiber<mixed, mixed, mixed, mixed>, \Closure}> waiting fibers with their conditions */
    public array $waiting = [];
    /** @var array<string, \Closure> */
    public array $signals = [];
    /** @var array<string, list<array<mixed>>> signals without a handler yet */
    public array $early = [];
    /** @var array<string, \Closure> */
    public array $queries = [];
    /** @var array<string, array{\Closure, ?\Closure}> */
    public array $updates = [];
    /** @var array<string, mixed> */
    public array $info = [];
    /** @var array<string, mixed> */
    public array $searchAttributes = [];
    /** @var array<string, mixed> */
    public array $lastCompletion = [];
    /** @var array<string, string> */
    public array $header = [];
    public array $context = [];
    public bool $cancelRequested = false;
    public bool $ended = false;
    public static int $lastId = 0;

    public function __construct(public readonly string $id) {}

    // Commands

    /** @param array<mixed> $options @param ?list<mixed> $values @param array<string, string> $header */
    public function command(string $name, array $options = [], ?array $values = null, array $header = []): Promise
    {
        self::$lastId = self::$lastId === 0 ? (int) (\microtime(true) * 1_000_000) : self::$lastId + 1;
        $promise = new Promise(self::$lastId);
        $this->promises[$promise->id] = $promise;
        $payloads = $values === null ? null : \array_map(encodeValue(...), $values);
        $this->outgoing[] = new Message($promise->id, $name, $options, $payloads, header: $header, runId: $this->id);

        return $promise;
    }

    /** @param list<mixed> $args @param array<mixed> $options @param array<string, string> $header */
    public function activity(string $name, array $args = [], array $options = [], array $header = []): Promise
    {
        $options += ['StartToCloseTimeout' => 20_000_000_000];

        return $this->command('ExecuteActivity', ['name' => $name, 'options' => (object) $options], $args, $header);
    }

    /** @param list<mixed> $args @param array<mixed> $options */
    public function local(string $name, array $args = [], array $options = []): Promise
    {
        return $this->command('ExecuteLocalActivity', ['name' => $name, 'options' => (object) $options], $args);
    }

    public function timer(int $milliseconds, string $summary = ''): Promise
    {
        return $this->command('NewTimer', ['ms' => $milliseconds] + ($summary === '' ? [] : ['summary' => $summary]));
    }

    public function sideEffect(\Closure $make): mixed
    {
        return $this->await($this->command('SideEffect', [], [empty($this->context['replay']) ? $make() : null]));
    }

    public function version(string $change, int $oldest, int $newest): int
    {
        $options = ['changeID' => $change, 'minSupported' => $oldest, 'maxSupported' => $newest];

        return $this->await($this->command('GetVersion', $options));
    }

    /** @param list<mixed> $args @param array<mixed> $options @return array{Promise, Promise} its result, its start */
    public function child(string $name, array $args = [], array $options = []): array
    {
        $result = $this->command('ExecuteChildWorkflow', ['name' => $name, 'options' => (object) $options], $args);

        return [$result, $this->command('GetChildWorkflowExecution', ['id' => $result->id])];
    }

    /** @param list<mixed> $args */
    public function signal(string $workflowId, string $name, array $args = [], bool $child = false): Promise
    {
        return $this->command('SignalExternalWorkflow', [
            'namespace' => '', 'workflowID' => $workflowId, 'runID' => null, 'signal' => $name, 'childWorkflowOnly' => $child,
        ], $args);
    }

    public function cancelExternal(string $workflowId): Promise
    {
        return $this->command('CancelExternalWorkflow', ['namespace' => '', 'workflowID' => $workflowId, 'runID' => null]);
    }

    public function cancel(Promise ...$promises): Promise
    {
        return $this->command('Cancel', ['ids' => \array_map(static fn(Promise $one): int => $one->id, $promises)]);
    }

    /** @param list<mixed> $args @param array<mixed> $options */
    public function continueAsNew(string $name, array $args, array $options = []): never
    {
        $this->command('ContinueAsNew', ['name' => $name, 'options' => (object) $options], $args);
        $this->ended = true;
        \Fiber::suspend(static fn(): bool => false);
        exit(1);
    }

    // Waiting

    public function await(Promise|\Closure $for): mixed
    {
        $isReady = $for instanceof Promise ? static fn(): bool => $for->done : $for;
        if (!$isReady()) {
            \Fiber::suspend($isReady);
        }
        if ($for instanceof Promise) {
            return $for->failure === null ? $for->value : throw $for->failure;
        }

        return null;
    }

    /** @return list<mixed> */
    public function all(Promise ...$promises): array
    {
        return \array_map($this->await(...), \array_values($promises));
    }

    public function onSignal(string $name, \Closure $handler): void
    {
        $this->signals[$name] = $handler;
        foreach ($this->early[$name] ?? [] as $args) {
            $this->spawn(static fn(): mixed => $handler(...$args));
        }
        unset($this->early[$name]);
    }

    // The loop

    public function spawn(\Closure $work): void
    {
        $fiber = new \Fiber($work);
        $this->advance($fiber, static fn(): mixed => $fiber->start());
    }

    public function run(): void
    {
        do {
            $progress = false;
            foreach ($this->waiting as $at => [$fiber, $isReady]) {
                if ($isReady()) {
                    unset($this->waiting[$at]);
                    $this->advance($fiber, static fn(): mixed => $fiber->resume());
                    $progress = true;
                }
            }
        } while ($progress);
    }

    private function advance(\Fiber $fiber, \Closure $step): void
    {
        $condition = $step();
        if (!$fiber->isTerminated()) {
            $this->waiting[] = [$fiber, $condition];
        }
    }

    public function complete(mixed $value, ?Failure $failure): void
    {
        if (!$this->ended) {
            $this->ended = true;
            $this->outgoing[] = new Message(
                ++self::$lastId,
                'CompleteWorkflow',
                [],
                $failure === null ? [encodeValue($value)] : null,
                $failure,
                runId: $this->id,
            );
        }
    }

    public function panic(\Throwable $error): void
    {
        $failure = new Failure($error->getMessage(), type: $error::class);
        $this->outgoing[] = new Message(++self::$lastId, 'Panic', [], null, $failure, runId: $this->id);
    }
}

/** A running activity: what an activity function gets as its first argument. */
final class Activity
{
    /** @param array<string, mixed> $info @param list<mixed> $heartbeatDetails @param array<string, string> $header */
    public function __construct(
        public readonly array $info,
        public readonly array $heartbeatDetails,
        public readonly array $header,
        private readonly Sdk $sdk,
    ) {}

    /** @return array{canceled: bool, paused: bool, reset: bool} */
    public function heartbeat(mixed $details): array
    {
        return $this->sdk->rpc()->call('temporal.RecordActivityHeartbeat', [
            'taskToken' => $this->info['TaskToken'],
            'details' => \base64_encode(encodePayloads([encodeValue($details)])),
        ]);
    }
}

final class Sdk
{
    /** @var array<string, array{options: array<mixed>, workflows: array<string, \Closure>, activities: array<string, \Closure>, behaviors: array<string, int>}> */
    private array $queues = [];
    /** @var array<string, Workflow> */
    private array $runs = [];
    private ?Rpc $rpc = null;

    /**
     * @param array<string, \Closure> $workflows
     * @param array<string, \Closure> $activities
     * @param array<mixed> $options
     * @param array<string, int> $behaviors
     */
    public function queue(string $name, array $workflows, array $activities, array $options = [], array $behaviors = []): void
    {
        $this->queues[$name] = \compact('options', 'workflows', 'activities', 'behaviors');
    }

    public function rpc(): Rpc
    {
        return $this->rpc ??= Rpc::create();
    }

    public function serve(): void
    {
        $worker = Worker::create();
        while (($payload = $worker->waitPayload()) !== null) {
            try {
                $context = \json_decode($payload->context, true, flags: JSON_THROW_ON_ERROR);
                $worker->respond(encodeFrame($this->handle($context, decodeFrame($payload->body))));
            } catch (\Throwable $error) {
                $worker->error($error::class . ': ' . $error->getMessage());
            }
        }
    }

    /** @param array<string, mixed> $context @param list<Message> $messages @return list<Message> */
    private function handle(array $context, array $messages): array
    {
        $answers = [];
        $run = null;
        foreach ($messages as $message) {
            if ($message->command === 'GetWorkerInfo') {
                return [new Message(0, payloads: \array_map(encodeValue(...), $this->describe()))];
            }
            if ($message->command === 'InvokeActivity' || $message->command === 'InvokeLocalActivity') {
                return [$this->invoke($this->queues[$context['taskQueue']]['activities'], $message)];
            }
            if ($message->command === 'StartWorkflow') {
                $this->runs[$message->runId] = new Workflow($message->runId);
            }
            $run = $this->runs[$message->runId] ?? throw new \LogicException("no such run: {$message->runId}");
            $run->context = $context;
            $answer = $this->dispatch($run, $message, $context);
            if ($answer !== null) {
                $answers[] = $answer;
            }
        }
        if ($run === null) {
            return $answers;
        }
        $run->run();
        [$outgoing, $run->outgoing] = [$run->outgoing, []];

        return [...$answers, ...$outgoing];
    }

    /** @return list<array<string, mixed>> */
    private function describe(): array
    {
        $described = [];
        foreach ($this->queues as $name => $queue) {
            $workflows = [];
            foreach (\array_keys($queue['workflows']) as $type) {
                $workflows[] = ['name' => $type, 'queries' => [], 'signals' => [], 'versioning_behavior' => $queue['behaviors'][$type] ?? 0];
            }
            $described[] = [
                'TaskQueue' => $name,
                'Options' => (object) $queue['options'],
                'Workflows' => $workflows,
                'Activities' => \array_map(static fn(string $type): array => ['Name' => $type], \array_keys($queue['activities'])),
                'PhpSdkVersion' => '2.18.0',
                'Plugins' => [],
                'Flags' => ['ApiKey' => (string) \getenv('TEMPORAL_API_KEY')],
            ];
        }

        return $described;
    }

    /** @param array<string, mixed> $context */
    private function dispatch(Workflow $run, Message $message, array $context): ?Message
    {
        $args = \array_map(decodeValue(...), $message->payloads ?? []);
        switch ($message->command) {
            case '':
                $promise = $run->promises[$message->id] ?? null;
                unset($run->promises[$message->id]);
                $promise?->settle($args[0] ?? null, $message->failure);

                return null;
            case 'StartWorkflow':
                $run->info = $message->options['info'];
                $run->searchAttributes = $message->options['search_attributes'] ?? [];
                $run->header = $message->header;
                $last = (int) ($message->options['lastCompletion'] ?? 0);
                $run->lastCompletion = $last > 0 ? \array_splice($args, -$last) : [];
                $type = $run->info['WorkflowType']['Name'];
                $workflow = $this->queues[$context['taskQueue']]['workflows'][$type] ?? null;
                if ($workflow === null) {
                    return new Message(0, failure: new Failure("no such workflow: {$type}"), runId: $run->id);
                }
                $run->spawn(static function () use ($run, $workflow, $args): void {
                    try {
                        $run->complete($workflow($run, ...$args), null);
                    } catch (Failure $failure) {
                        $run->complete(null, $failure);
                    } catch (\Exception $error) {
                        $run->complete(null, new Failure($error->getMessage(), type: $error::class));
                    } catch (\Error $error) {
                        $run->panic($error);
                    }
                });
                break;
            case 'InvokeSignal':
                $name = $message->options['name'];
                $handler = $run->signals[$name] ?? null;
                if ($handler === null) {
                    $run->early[$name][] = $args;
                } else {
                    $run->spawn(static fn(): mixed => $handler(...$args));
                }
                break;
            case 'CancelWorkflow':
                $run->cancelRequested = true;
                break;
            case 'DestroyWorkflow':
                unset($this->runs[$run->id]);
                break;
            case 'InvokeQuery':
            case 'StackTrace':
                $name = $message->command === 'StackTrace' ? '__stack_trace' : $message->options['name'];
                $query = $run->queries[$name] ?? null;
                try {
                    if ($query === null) {
                        throw new Failure("unknown queryType {$name}", type: 'InvalidArgumentException');
                    }

                    return new Message(0, payloads: [encodeValue($query(...$args))], runId: $run->id);
                } catch (Failure $failure) {
                    return new Message(0, failure: $failure, runId: $run->id);
                }
            case 'InvokeUpdate':
                $this->update($run, $message, $args);

                return null;
            default:
                throw new \LogicException("unknown command {$message->command}");
        }

        return new Message(0, payloads: [encodeValue(null)], runId: $run->id);
    }

    /** @param list<mixed> $args */
    private function update(Workflow $run, Message $message, array $args): void
    {
        ['updateId' => $id, 'name' => $name] = $message->options;
        $say = static function (string $command, ?Failure $failure, ?array $payloads = null) use ($run, $id): void {
            $run->outgoing[] = new Message(0, $command, ['id' => $id], $payloads, $failure, runId: $run->id);
        };
        [$handler, $validate] = $run->updates[$name] ?? [null, null];
        if ($handler === null) {
            $say('UpdateValidated', new Failure("unknown update method {$name}", type: 'InvalidArgumentException'));

            return;
        }
        try {
            if ($validate !== null && empty($message->options['replay'])) {
                $validate(...$args);
            }
        } catch (Failure $failure) {
            $say('UpdateValidated', $failure);

            return;
        }
        $say('UpdateValidated', null);
        $run->spawn(static function () use ($handler, $args, $say): void {
            try {
                $say('UpdateCompleted', null, [encodeValue($handler(...$args))]);
            } catch (Failure $failure) {
                $say('UpdateCompleted', $failure);
            }
        });
    }

    /** @param array<string, \Closure> $activities */
    private function invoke(array $activities, Message $message): Message
    {
        $args = \array_map(decodeValue(...), $message->payloads ?? []);
        $details = (int) ($message->options['heartbeatDetails'] ?? 0);
        $heartbeat = $details > 0 ? \array_splice($args, -$details) : [];
        $activity = new Activity($message->options['info'], $heartbeat, $message->header, $this);
        try {
            $result = ($activities[$message->options['name']])($activity, ...$args);

            return new Message($message->id, payloads: [encodeValue($result)]);
        } catch (Asynchronous) {
            return new Message($message->id, failure: new Failure('doNotCompleteOnReturn'));
        } catch (Failure $failure) {
            return new Message($message->id, failure: $failure);
        } catch (\Throwable $error) {
            return new Message($message->id, failure: new Failure($error->getMessage(), type: $error::class));
        }
    }
}
