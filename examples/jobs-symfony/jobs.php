<?php

declare(strict_types=1);

use App\Kernel;
use PyRoadRunner\Jobs\JobsWorker;
use PyRoadRunner\Jobs\Task;
use Symfony\Component\Messenger\Exception\HandlerFailedException;
use Symfony\Component\Messenger\Exception\MessageDecodingFailedException;
use Symfony\Component\Messenger\Exception\UnrecoverableExceptionInterface;
use Symfony\Component\Messenger\Stamp\ConsumedByWorkerStamp;
use Symfony\Component\Messenger\Stamp\ReceivedStamp;
use Symfony\Component\Messenger\Transport\Serialization\PhpSerializer;

require __DIR__ . '/vendor/autoload.php';
require_once getenv('RR_PHP_LIBRARY') . '/autoload.php';

$kernel = new Kernel($_SERVER['APP_ENV'] ?? 'prod', (bool) ($_SERVER['APP_DEBUG'] ?? false));
$kernel->boot();
$container = $kernel->getContainer();
$serializer = new PhpSerializer(); // the one of the transport

JobsWorker::create()->run(static function (Task $task) use ($container, $serializer): void {
    try {
        $headers = array_map(static fn (array $values): string => $values[0] ?? '', $task->headers);
        $envelope = $serializer->decode(['body' => $task->payload, 'headers' => $headers]);
        $stamps = [new ReceivedStamp($task->pipeline), new ConsumedByWorkerStamp()];
        $container->get('messenger.default_bus')->dispatch($envelope->with(...$stamps));
    } catch (MessageDecodingFailedException|UnrecoverableExceptionInterface $e) {
        $task->nack((string) $e); // to the dead letters, without another attempt
    } catch (HandlerFailedException $e) {
        $all = $e->getWrappedExceptions();
        $final = array_filter($all, static fn (Throwable $one): bool => $one instanceof UnrecoverableExceptionInterface);
        if (count($final) < count($all)) {
            throw $e; // a failed attempt
        }
        $task->nack((string) $e);
    } finally {
        $container->has('services_resetter') && $container->get('services_resetter')->reset();
    }
});
