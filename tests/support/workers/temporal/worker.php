<?php

declare(strict_types=1);

// Workflows and activities for tests. The environment says what differs between workers: TASK_QUEUE, WORKER_OPTIONS and
// BEHAVIORS (JSON); the file CODE_FILE has the version of the code.

use Workflows\Activity;
use Workflows\Asynchronous;
use Workflows\Failure;
use Workflows\Sdk;
use Workflows\Workflow;

require __DIR__ . '/sdk.php';

$code = \is_file((string) \getenv('CODE_FILE')) ? (int) \file_get_contents((string) \getenv('CODE_FILE')) : 1;

$workflows = [
    'echo' => static fn(Workflow $w, mixed ...$args): mixed => $args,
    'one-activity' => static fn(Workflow $w, string $text): mixed => $w->await($w->activity('upper', [$text])),
    'five-activities' => static function (Workflow $w, string $text): string {
        for ($at = 0; $at < 5; ++$at) {
            $text = $w->await($w->activity('append', [$text, (string) $at]));
        }

        return $text;
    },
    'parallel' => static function (Workflow $w, int $number): array {
        $promises = [];
        for ($at = 0; $at < $number; ++$at) {
            $promises[] = $w->activity('upper', ["n{$at}"]);
        }

        return $w->all(...$promises);
    },
    'timer' => static function (Workflow $w, int $milliseconds): string {
        $w->await($w->timer($milliseconds, 'a short wait'));

        return 'fired';
    },
    'canceled-timer' => static function (Workflow $w): array {
        $timer = $w->timer(60_000);
        $w->await($w->timer(10));
        $w->await($w->cancel($timer));
        try {
            $w->await($timer);
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'start-and-cancel' => static function (Workflow $w): array {
        $timer = $w->timer(60_000);
        $w->cancel($timer);
        try {
            $w->await($timer);
        } catch (Failure $failure) {
            return [$failure->kind, $w->await($w->activity('upper', ['after']))];
        }
    },
    'info' => static fn(Workflow $w): array => [
        'info' => $w->info, 'attributes' => $w->searchAttributes, 'context' => $w->context,
    ],
    'ticks' => static function (Workflow $w): array {
        $seen = [[$w->context['history_length'], $w->context['tickTime']]];
        foreach ([10, 10] as $milliseconds) {
            $w->await($w->timer($milliseconds));
            $seen[] = [$w->context['history_length'], $w->context['tickTime']];
        }

        return $seen;
    },
    'fails' => static function (Workflow $w, string $type, array $details): never {
        throw new Failure('it failed', type: $type, details: $details, cause: new Failure('the cause', type: 'Cause'));
    },
    'panics' => static function (Workflow $w): string {
        if (\file_exists($w->await($w->activity('panic-file')))) {
            throw new \Error('the code is broken');
        }

        return 'mended';
    },
    'undefined-response' => static function (Workflow $w): void {
        $w->command('UndefinedResponse', ['message' => 'no such thing']);
        $w->await($w->timer(60_000));
    },
    'unknown-command' => static function (Workflow $w): void {
        $w->command('DoMagic', []);
        $w->await($w->timer(60_000));
    },
    'failing-activity' => static function (Workflow $w, int $attempts): array {
        try {
            return [$w->await($w->activity('flaky', [$attempts], ['RetryPolicy' => [
                'initial_interval' => ['seconds' => 0, 'nanos' => 10_000_000], 'backoff_coefficient' => 1.0,
                'maximum_interval' => null, 'maximum_attempts' => 3, 'non_retryable_error_types' => ['Final'],
            ]]))];
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'activity-timeout' => static function (Workflow $w): array {
        $once = ['maximum_attempts' => 1];
        try {
            return [$w->await($w->activity('sleep', [3000], ['StartToCloseTimeout' => 1_000_000_000, 'RetryPolicy' => $once]))];
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'asynchronous' => static fn(Workflow $w): mixed => $w->await($w->activity('asynchronous', [])),
    'heartbeats' => static fn(Workflow $w): mixed => $w->await($w->activity('heartbeats', [], [
        'HeartbeatTimeout' => 60_000_000_000, 'RetryPolicy' => ['maximum_attempts' => 3, 'initial_interval' => ['seconds' => 0, 'nanos' => 1_000_000]],
    ])),
    'cancel-activity' => static function (Workflow $w, bool $waits): array {
        $activity = $w->activity('until-canceled', [], [
            'HeartbeatTimeout' => 60_000_000_000, 'WaitForCancellation' => $waits, 'StartToCloseTimeout' => 60_000_000_000,
            'RetryPolicy' => ['maximum_attempts' => 1],
        ]);
        $w->await(static fn(): bool => $w->cancelRequested);
        $w->await($w->cancel($activity));
        try {
            return [$w->await($activity)];
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'local' => static fn(Workflow $w, string $text): mixed => $w->await($w->local('upper', [$text])),
    'local-parallel' => static fn(Workflow $w): array => $w->all(
        $w->local('upper', ['a']),
        $w->activity('upper', ['b']),
        $w->local('sleep', [100]),
        $w->timer(50),
    ),
    'slow-local' => static function (Workflow $w): array { // longer than its task: the engine asks for more time
        $slow = $w->local('sleep', [1500]);
        $timer = $w->timer(30_000);
        $w->await($slow);
        $w->cancel($timer);

        return [$w->await($slow), $w->await($w->activity('upper', ['after'])), $w->await($w->timer(10))];
    },
    'only-slow-local' => static function (Workflow $w): array {
        $slow = $w->await($w->local('sleep', [1500]));

        return [$slow, $w->await($w->activity('upper', ['after'])), $w->await($w->timer(10))];
    },
    'flaky-local' => static function (Workflow $w, int $attempts, int $maximum, int $interval): array {
        $policy = ['initial_interval' => ['seconds' => \intdiv($interval, 1000), 'nanos' => $interval % 1000 * 1_000_000],
            'backoff_coefficient' => 1.0, 'maximum_attempts' => $maximum];
        try {
            return [$w->await($w->local('flaky', [$attempts], $maximum > 0 ? ['RetryPolicy' => $policy] : []))];
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'signals' => static function (Workflow $w, int $number): array {
        $got = [];
        $w->onSignal('add', static function (mixed $value) use ($w, &$got): void {
            $got[] = $w->await($w->activity('upper', [$value]));
        });
        $w->queries['got'] = static function () use (&$got): array {
            return $got;
        };
        $w->await(static function () use (&$got, $number): bool {
            return \count($got) >= $number;
        });

        return $got;
    },
    'queries' => static function (Workflow $w): string {
        $state = 'waiting';
        $w->queries['state'] = static function (string $suffix = '') use (&$state): string {
            return $state . $suffix;
        };
        $w->queries['fails'] = static fn(): never => throw new Failure('not now', type: 'NotNow');
        $w->queries['__stack_trace'] = static fn(): string => 'in queries';
        $w->onSignal('end', static function () use (&$state): void {
            $state = 'ended';
        });
        $w->await(static function () use (&$state): bool {
            return $state === 'ended';
        });

        return $state;
    },
    'updates' => static function (Workflow $w): array {
        $names = [];
        $w->updates['add'] = [
            static function (string $name) use (&$names): int {
                $names[] = $name;

                return \count($names);
            },
            static function (string $name): void {
                if ($name === 'bad') {
                    throw new Failure('bad name', type: 'Invalid');
                }
            },
        ];
        $w->updates['slow'] = [static function (string $name) use ($w, &$names): string {
            $names[] = $w->await($w->activity('upper', [$name]));
            $names[] = $w->sideEffect(static fn(): string => \bin2hex(\random_bytes(4)));

            return \end($names);
        }, null];
        $w->updates['fails'] = [static fn(): never => throw new Failure('update failed', type: 'Broken', nonRetryable: true), null];
        $done = false;
        $w->onSignal('end', static function () use (&$done): void {
            $done = true;
        });
        $w->await(static function () use (&$done): bool {
            return $done;
        });

        return $names;
    },
    'child' => static function (Workflow $w, string $text): array {
        [$result, $started] = $w->child('one-activity', [$text], ['StaticSummary' => 'a child']);
        $execution = $w->await($started);
        [$other] = $w->child('one-activity', ['x'], ['WorkflowID' => $execution['ID'] . '-named', 'Memo' => ['k' => 'v']]);

        return [$w->await($result), $execution, $w->await($other)];
    },
    'failing-child' => static function (Workflow $w): array {
        [$result] = $w->child('fails', ['Bad', [1, 2]]);
        try {
            return [$w->await($result)];
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'duplicate-child' => static function (Workflow $w, string $id): array {
        [$result, $started] = $w->child('echo', [], ['WorkflowID' => $id, 'WorkflowIDReusePolicy' => 3]);
        $said = [];
        foreach ([$started, $result] as $promise) {
            try {
                $said[] = $w->await($promise);
            } catch (Failure $failure) {
                $said[] = $failure->toArray();
            }
        }

        return $said;
    },
    'cancel-child' => static function (Workflow $w): array {
        [$result, $started] = $w->child('until-canceled', []);
        $w->await($started);
        $w->await($w->cancel($result));
        try {
            return [$w->await($result)];
        } catch (Failure $failure) {
            return $failure->toArray();
        }
    },
    'signal-child' => static function (Workflow $w): array {
        [$result, $started] = $w->child('signals', [1]);
        $execution = $w->await($started);
        $w->await($w->signal($execution['ID'], 'add', ['x'], true));

        return $w->await($result);
    },
    'abandoned-child' => static function (Workflow $w): array {
        [, $started] = $w->child('until-canceled', [], ['ParentClosePolicy' => 2]);

        return $w->await($started);
    },
    'externals' => static function (Workflow $w, string $id): array {
        $said = [$w->await($w->signal($id, 'add', ['from outside']))];
        foreach ([$w->signal('no-such-workflow', 'add'), $w->cancelExternal('no-such-workflow')] as $promise) {
            try {
                $said[] = $w->await($promise);
            } catch (Failure $failure) {
                $said[] = $failure->type;
            }
        }

        return $said;
    },
    'cancel-external' => static fn(Workflow $w, string $id): mixed => $w->await($w->cancelExternal($id)),
    'until-canceled' => static function (Workflow $w): never {
        $w->await(static fn(): bool => $w->cancelRequested);
        $w->await($w->activity('upper', ['cleanup']));
        throw new Failure('canceled', 'canceled', details: ['cleaned up']);
    },
    'continues' => static function (Workflow $w, int $left, array $runs = []): array {
        $runs[] = $w->info['ContinuedExecutionRunID'];
        if ($left > 0) {
            $w->continueAsNew('continues', [$left - 1, $runs], ['WorkflowRunTimeout' => 60_000_000_000]);
        }

        return $runs;
    },
    'side-effects' => static function (Workflow $w): array {
        $values = [];
        for ($at = 0; $at < 3; ++$at) {
            $values[] = $w->sideEffect(static fn(): string => \bin2hex(\random_bytes(8)));
            $values[] = $w->await($w->activity('upper', [$values[$at * 2]]));
        }

        return $values;
    },
    'versions' => static function (Workflow $w) use ($code): array {
        $w->onSignal('go', static function () use (&$gone): void {
            $gone = true;
        });
        $first = $code >= 2 ? $w->version('first', -1, $code - 1) : null;
        $text = $w->await($w->activity('upper', [$first === null || $first < 0 ? 'old' : "v{$first}"]));
        $w->await(static function () use (&$gone): bool {
            return $gone === true;
        });
        $second = $code >= 2 ? $w->version('first', -1, $code - 1) : null;
        $later = $code >= 2 ? $w->version('later', -1, 1) : null;

        return [$text, $first, $second, $later, $w->await($w->timer(10))];
    },
    'versioned' => static fn(Workflow $w): array => [$w->version('a', -1, 1), $w->version('b', 1, 3), $w->version('a', -1, 1)],
    'too-old' => static fn(Workflow $w): array => [$w->version('a', 2, 3), $w->version('a', -1, 1)],
    'memo' => static function (Workflow $w): array {
        $w->command('UpsertMemo', ['memo' => ['colour' => 'red', 'gone' => null, 'list' => [1, 2]]]);
        $w->command('UpsertWorkflowSearchAttributes', ['searchAttributes' => ['Word' => 'plain']]);
        $w->command('UpsertWorkflowTypedSearchAttributes', ['search_attributes' => [
            'Flag' => ['type' => 'bool', 'operation' => 'set', 'value' => true],
            'Number' => ['type' => 'int64', 'operation' => 'set', 'value' => '42'],
            'Wrong' => ['type' => 'int64', 'operation' => 'set', 'value' => 'x'],
        ]]);
        $w->await($w->timer(10));
        $w->command('UpsertWorkflowTypedSearchAttributes', ['search_attributes' => ['Flag' => ['type' => 'bool', 'operation' => 'unset', 'value' => null]]]);
        $w->await($w->timer(10));

        return [];
    },
    'headers' => static function (Workflow $w): array {
        return [
            'workflow' => \array_map(Workflows\decodeValue(...), $w->header),
            'activity' => $w->await($w->activity('header', [], [], $w->header)),
        ];
    },
    'not-deterministic' => static function (Workflow $w) use ($code): string {
        $w->await($code === 1 ? $w->timer(100) : $w->activity('upper', ['x']));
        $w->await($w->activity('upper', ['y']));
        $w->onSignal('end', static function () use (&$gone): void {
            $gone = true;
        });
        $w->await(static function () use (&$gone): bool {
            return $gone === true;
        });

        return 'done';
    },
    'prints' => static function (Workflow $w): string {
        echo 'stray output';
        \fwrite(STDERR, "a word on stderr\n");

        return $w->await($w->activity('prints'));
    },
    'waits' => static function (Workflow $w): string {
        $w->onSignal('end', static function () use (&$gone): void {
            $gone = true;
        });
        $w->await(static function () use (&$gone): bool {
            return $gone === true;
        });

        return 'ended';
    },
    'pid' => static fn(Workflow $w): int => \getmypid(),
    'code' => static fn(Workflow $w): int => $code,
];
if ($code >= 2) {
    $workflows['added'] = static fn(Workflow $w): string => 'new code';
}

$activities = [
    'upper' => static fn(Activity $a, string $text): string => \strtoupper($text),
    'append' => static fn(Activity $a, string $text, string $more): string => $text . $more,
    'info' => static fn(Activity $a): array => $a->info,
    'header' => static fn(Activity $a): array => \array_map(Workflows\decodeValue(...), $a->header),
    'panic-file' => static fn(Activity $a): string => (string) \getenv('PANIC_FILE'),
    'sleep' => static function (Activity $a, int $milliseconds): string {
        \usleep($milliseconds * 1000);

        return 'slept';
    },
    'flaky' => static function (Activity $a, int $attempts): int {
        if ($a->info['Attempt'] < $attempts) {
            throw new Failure("attempt {$a->info['Attempt']}", type: $attempts > 100 ? 'Final' : 'Flaky', details: ['test']);
        }

        return $a->info['Attempt'];
    },
    'asynchronous' => static function (Activity $a): never {
        \file_put_contents((string) \getenv('TOKEN_FILE'), $a->info['TaskToken']);
        throw new Asynchronous();
    },
    'heartbeats' => static function (Activity $a): array {
        if ($a->info['Attempt'] === 1) {
            $said = $a->heartbeat(['half' => true]);
            throw new Failure('again', type: 'Again');
        }

        return ['attempt' => $a->info['Attempt'], 'details' => $a->heartbeatDetails];
    },
    'until-canceled' => static function (Activity $a): never {
        for ($at = 0; $at < 2000; ++$at) {
            if ($a->heartbeat($at)['canceled']) {
                throw new Failure('canceled', 'canceled', details: ['beats' => $at]);
            }
            \usleep(50_000);
        }
        throw new Failure('was never canceled');
    },
    'prints' => static function (Activity $a): string {
        \print_r(['stray' => 'output']);

        return 'printed';
    },
    'dies' => static function (Activity $a): string {
        if ($a->info['Attempt'] === 1) {
            \posix_kill(\getmypid(), SIGKILL);
        }

        return "attempt {$a->info['Attempt']}";
    },
];
$workflows['activity'] = static fn(Workflow $w, string $name, mixed ...$args): mixed => $w->await($w->activity($name, $args, [
    'RetryPolicy' => ['initial_interval' => ['seconds' => 0, 'nanos' => 10_000_000]],
]));
$workflows['two-queues'] = static fn(Workflow $w): array => $w->all(
    $w->activity('upper', ['here']),
    $w->activity('upper', ['there'], ['TaskQueueName' => \getenv('TASK_QUEUE') . '-2']),
);

$sdk = new Sdk();
$queue = (string) \getenv('TASK_QUEUE');
$options = \json_decode(\getenv('WORKER_OPTIONS') ?: '{}', true, flags: JSON_THROW_ON_ERROR)
    + ['MaxHeartbeatThrottleInterval' => 200_000_000];
$behaviors = \json_decode(\getenv('BEHAVIORS') ?: '{}', true, flags: JSON_THROW_ON_ERROR);
$sdk->queue($queue, $workflows, $activities, $options, $behaviors);
$sdk->queue("{$queue}-2", ['echo' => $workflows['echo'], 'panics' => $workflows['panics']], ['upper' => $activities['upper'], 'panic-file' => $activities['panic-file']], ['WorkflowPanicPolicy' => 1]);
$sdk->serve();
